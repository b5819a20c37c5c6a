"""One entry of a layer's tar."""

from typing import NamedTuple

_NANOSECOND_DIGITS = 9


class Entry(NamedTuple):
    """An entry of a layer; `kind` is one of the letters below, times are as in the tar.

    Files are `f`, directories `d`, symbolic links `l`, hard links `h`, fifos `p`, devices `c` and
    `b`. A whiteout `w` removes the path of lower layers, an opaque directory `o` all below it.
    `link` is a link's target, `device` a device's numbers. An empty `mtime` is set when the node
    unpacks the layer.
    """

    path: str
    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: str = ""
    link: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, str], ...] = ()
    size: int = 0
    sha256: str = ""


def nanoseconds(mtime: str) -> int | None:
    """Parse a time of a tar to the nanosecond; None for an empty one.

    Raises:
        ValueError: when it is not a time.
    """
    if not mtime:
        return None
    whole, _, part = mtime.partition(".")
    beyond = int(part[:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0")) if part else 0
    # The fraction of a negative time is negative too.
    return int(whole) * 10**9 + (-beyond if whole.startswith("-") else beyond)
