"""What this package refuses, said so that the reader can mend it."""


class ButaneError(Exception):
    """A template or a Butane file that cannot become a machine."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
