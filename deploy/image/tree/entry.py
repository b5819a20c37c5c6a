"""What a layer's tar says of one path."""

from typing import NamedTuple

_NANOSECOND_DIGITS = 9


class Entry(NamedTuple):
    """A path of a layer; `kind` is a letter of those below, times are as the tar writes them.

    Files are `f`, directories `d`, symbolic links `l`, hard links `h`, fifos `p`, devices `c` and
    `b`. A whiteout `w` removes what lower layers have there, an opaque directory `o` all in it.
    `link` is a link's target, and `device` a device's numbers. An empty `mtime`
    is that of the moment at which a node unpacks the layer.
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
    """Read a time as a tar writes it, exactly; None for an empty one.

    Raises:
        ValueError: when it is none.
    """
    if not mtime:
        return None
    whole, _, part = mtime.partition(".")
    beyond = int(part[:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0")) if part else 0
    # Of -1.5, the half lies before the second as well.
    return int(whole) * 10**9 + (-beyond if whole.startswith("-") else beyond)
