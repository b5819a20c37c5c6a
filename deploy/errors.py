"""What this package refuses, said so that the reader can mend it."""


class DeployError(Exception):
    """Anything the operator can mend: where, what was found, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
