"""Unit names of paths, as `systemd-escape --path` makes them."""

_PLAIN = frozenset(b":_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def escape_path(path: str) -> str:
    """Escape a path for use as a unit's name."""
    words = [word for word in path.encode("utf-8", "surrogateescape").split(b"/") if word]
    if not words:
        return "-"
    joined = b"/".join(words)
    return "".join(_escape(byte, first=i == 0) for i, byte in enumerate(joined))


def _escape(byte: int, *, first: bool) -> str:
    if byte == ord("/"):
        return "-"
    if byte not in _PLAIN or (first and byte == ord(".")):
        return f"\\x{byte:x}"
    return chr(byte)
