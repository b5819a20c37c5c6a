"""How a node unpacks layers and shows them, told a second time and in another way than deploy.

Each layer is unpacked entry by entry into a folder of its own, as containers/storage does it, and
the folders are then laid over one another as the kernel's overlay does it.
"""

import io
import posixpath
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(eq=False)
class Thing:
    """An inode; one made for want of an entry has no time that could be known."""

    kind: bytes
    mode: int = 0o755
    owner: tuple[int, int] = (0, 0)
    mtime: str | None = None
    xattrs: dict[str, str] = field(default_factory=dict)
    link: str = ""
    device: tuple[int, int] = (0, 0)
    content: bytes = b""
    opaque: bool = False


REMOVED = Thing(b"removed")
Folder = dict[str, Thing]


@dataclass(frozen=True)
class Shown:
    """What can be seen at each path, and which paths are one file."""

    things: dict[str, tuple[object, ...]]
    times: dict[str, str | None]
    groups: frozenset[frozenset[str]]


def clean(name: str) -> str:
    return posixpath.normpath("/" + name)[1:]


def above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def without(folder: Folder, path: str) -> None:
    for one in [one for one in folder if one == path or one.startswith(f"{path}/")]:
        del folder[one]


def unpack(layer: bytes) -> Folder:
    """Unpack one layer in the order of its entries."""
    folder: Folder = {}
    with tarfile.open(fileobj=io.BytesIO(layer), encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            _unpack(tar, member, folder)
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Folder) -> None:
    path = clean(member.name)
    for one in above(path):
        folder.setdefault(one, Thing(tarfile.DIRTYPE))
    place, name = posixpath.split(path)
    if name == ".wh..wh..opq":
        folder[place].opaque = True
    elif name.startswith(".wh."):
        target = posixpath.join(place, name[4:])
        assert target not in folder
        folder[target] = REMOVED
    elif member.islnk():
        without(folder, path)
        folder[path] = folder[clean(member.linkname)]
    else:
        made = _thing(tar, member)
        held = folder.get(path)
        if held and held.kind == made.kind == tarfile.DIRTYPE:
            made.opaque = held.opaque
        else:
            without(folder, path)
        folder[path] = made


def _thing(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Thing:
    stream = tar.extractfile(member) if member.isreg() else None
    xattrs = {
        name: value for name, value in member.pax_headers.items() if name.startswith("SCHILY")
    }
    return Thing(
        member.type,
        0 if member.issym() else member.mode,
        (member.uid, member.gid),
        _time(member.pax_headers.get("mtime", str(int(member.mtime)))),
        xattrs,
        member.linkname if member.issym() else "",
        (member.devmajor, member.devminor) if member.ischr() or member.isblk() else (0, 0),
        stream.read() if stream else b"",
    )


def _time(text: str) -> str:
    whole, _, part = text.partition(".")
    return f"{whole}.{part[:9]:0<9}"


def overlay(layers: Iterable[Folder]) -> Folder:
    """Lay unpacked layers over one another, the lowest first."""
    merged: Folder = {}
    for upper in layers:
        for path in sorted(upper, key=lambda one: one.split("/")):
            thing = upper[path]
            lower = merged.get(path)
            both = lower is not None and lower.kind == thing.kind == tarfile.DIRTYPE
            if not both or thing.opaque:
                without(merged, path)
            if thing is not REMOVED:
                merged[path] = thing
    return merged


def show(layers: Sequence[bytes]) -> Shown:
    """Show an image of these layers as a container sees it."""
    merged = overlay(map(unpack, layers))
    merged.pop("", None)
    root = Thing(tarfile.DIRTYPE, 0o555)
    names: dict[int, set[str]] = {}
    for path, thing in merged.items():
        if thing.kind == tarfile.REGTYPE:
            names.setdefault(id(thing), set()).add(path)
    return Shown(
        {path: looks(thing) for path, thing in {**merged, "": root}.items()},
        {path: thing.mtime for path, thing in merged.items()},
        frozenset(frozenset(group) for group in names.values() if len(group) > 1),
    )


def looks(one: Thing) -> tuple[object, ...]:
    xattrs = tuple(sorted(one.xattrs.items()))
    return (one.kind, one.mode, one.owner, xattrs, one.link, one.device, one.content)
