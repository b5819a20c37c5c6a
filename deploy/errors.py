"""The error that this package raises for whatever the operator can fix."""


class DeployError(Exception):
    """An expected error: where and what was found, and a hint at what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
