"""The error that an operator sees and can fix."""


class DeployError(Exception):
    """An error the operator can fix: where, what was found, and a hint what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NodeUnheardError(DeployError):
    """A node does not answer."""


def reason(error: BaseException) -> str:
    """Tell why something ended: the message of an expected error, the kind of any other."""
    return error.message if isinstance(error, DeployError) else type(error).__name__
