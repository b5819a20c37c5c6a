"""The error of this package."""


class ButaneError(Exception):
    """A template or config that cannot be used; `hint` tells what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
