"""Split the value of a setting into words."""

import shlex


def words(value: str) -> tuple[str, ...]:
    """Split at spaces outside quotes; an unbalanced quote is taken literally."""
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return tuple(value.split())
