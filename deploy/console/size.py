"""Numbers of bytes for people."""

_NEXT_UNIT = 999.5  # rounds to 1000


def size(count: float) -> str:
    """Format a number of bytes for people, with three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _NEXT_UNIT:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
