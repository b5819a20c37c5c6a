"""The error of this package, with what to do."""


class RehearsalError(Exception):
    """A rehearsal node that could not be built, booted or removed."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
