"""The words of a setting's value, quoted as in a unit."""

import shlex


def words(value: str) -> tuple[str, ...]:
    """Split at spaces outside quotes; an unbalanced quote is taken as a letter."""
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return tuple(value.split())
