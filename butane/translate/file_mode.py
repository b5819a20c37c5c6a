"""Detect file modes that were written in decimal by mistake."""

_MOST_DIGITS = 7777

DECIMAL_MODE = (
    "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero"
)


def looks_decimal(mode: int, *, directory: bool) -> bool:
    """Check whether a mode makes sense only when its decimal digits are read as octal."""
    digits = str(mode)
    if not 0 <= mode <= _MOST_DIGITS or any(digit in "89" for digit in digits):
        return False
    return not is_usual(mode, directory=directory) and is_usual(int(digits, 8), directory=directory)


def is_usual(mode: int, *, directory: bool) -> bool:
    """Check whether a mode is a common one."""
    if mode == 0:
        return True
    seen = 0
    for bits in (mode & 7, mode >> 3 & 7, mode >> 6 & 7):  # other, group, user
        if seen & ~bits or not _is_usual_class(bits, seen):
            return False
        seen |= bits
    if not seen & 4:
        return False
    return _is_usual_directory(mode, seen) if directory else _is_usual_file(mode, seen)


def _is_usual_class(bits: int, seen: int) -> bool:
    if bits & 1 and seen & 4 and not seen & 1:
        return False
    return not (bits & 3 and not bits & 4)


def _is_usual_directory(mode: int, seen: int) -> bool:
    if not seen & 1 or mode & 0o4000:
        return False
    return not mode & 0o3000 or bool(seen & 2)


def _is_usual_file(mode: int, seen: int) -> bool:
    if mode & 0o6000 and (not seen & 1 or mode & 2):
        return False
    return not mode & 0o1000
