"""What this package refuses, said so that the reader can mend it."""


class CertError(Exception):
    """A certificate, a key or a password that cannot be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
