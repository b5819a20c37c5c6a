"""The entries of a layer, read from its tar."""

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.errors import DeployError
from deploy.image.layers.oci import hex_of

_NANOSECOND_DIGITS = 9
_XATTR = "SCHILY.xattr."
_LONGEST_PATH = 4096
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_KINDS = {
    tarfile.REGTYPE: "f",
    tarfile.AREGTYPE: "f",
    tarfile.CONTTYPE: "f",
    tarfile.DIRTYPE: "d",
    tarfile.SYMTYPE: "l",
    tarfile.LNKTYPE: "h",
    tarfile.FIFOTYPE: "p",
    tarfile.CHRTYPE: "c",
    tarfile.BLKTYPE: "b",
}


class TreeError(DeployError):
    """An image contains something that cannot be compared path by path."""


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
    sha256: str = ""


def read_layer(diff_id: str, file: Path) -> Iterator[Entry]:
    """Read every entry of a layer's tar, after verifying its digest.

    Raises:
        DeployError: when the layer is damaged.
        TreeError: when it has an entry that cannot be compared.
    """
    with file.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != hex_of(diff_id):
            raise DeployError(
                f"layer {hex_of(diff_id)[:12]} is damaged in the cache",
                f"remove {file} and run the command again",
            )
    yield from scan(file)


def scan(file: Path) -> Iterator[Entry]:
    """Read every entry of a tar.

    Raises:
        TreeError: for sparse files, paths with `..`, and invalid tars.
    """
    try:
        with tarfile.open(file, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            for member in tar:
                yield _with_hash(_read(member), tar, member)
    except (tarfile.TarError, ValueError, OSError) as error:
        raise TreeError(f"layer {file.name[:12]} cannot be read as a tar: {error}") from error


def _with_hash(entry: Entry, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    content = tar.extractfile(member) if entry.kind == "f" else None
    if not isinstance(content, io.BufferedReader):
        return entry
    return entry._replace(sha256=hashlib.file_digest(content, "sha256").hexdigest())


def _read(member: tarfile.TarInfo) -> Entry:
    path = _clean(member.name)
    kind = _KINDS.get(member.type, "")
    if not kind or member.issparse() or (kind == "c" and not member.devmajor + member.devminor):
        raise TreeError(f"{member.name!r} is of a type that cannot be compared")
    folder, name = posixpath.split(path)
    if name == _OPAQUE:
        return Entry(folder, "o")
    if name.startswith(_WHITEOUT):
        if name.startswith(_WHITEOUT * 2) or name == _WHITEOUT:
            raise TreeError(f"{member.name!r} is an unknown kind of whiteout")
        return Entry(posixpath.join(folder, name.removeprefix(_WHITEOUT)), "w")
    return _described(member, path, kind)


def _described(member: tarfile.TarInfo, path: str, kind: str) -> Entry:
    mtime = member.pax_headers.get("mtime") or str(int(member.mtime))
    nanoseconds(mtime)  # raises for what is no time
    xattrs = sorted(
        (name.removeprefix(_XATTR), value)
        for name, value in member.pax_headers.items()
        if name.startswith(_XATTR)
    )
    return Entry(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        mtime=mtime,
        link=_link(member, kind),
        device=(member.devmajor, member.devminor) if kind in "cb" else (0, 0),
        xattrs=tuple(xattrs),
    )


def _link(member: tarfile.TarInfo, kind: str) -> str:
    if kind == "h":
        return _clean(member.linkname)
    return member.linkname if kind == "l" else ""


def _clean(name: str) -> str:
    """Normalize a path; the root is empty."""
    if len(name) > _LONGEST_PATH:
        raise TreeError("a path is longer than Linux allows")
    parts = name.split("/")
    if ".." in parts:
        raise TreeError(f"{name!r} contains `..`")
    return "/".join(part for part in parts if part not in {"", "."})


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
