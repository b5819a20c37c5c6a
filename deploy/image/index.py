"""The list of what a layer holds, read once from its tar and kept."""

import hashlib
import json
import os
import posixpath
import tarfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.image.aged import oldest_first
from deploy.image.content import hex_of
from deploy.image.entry import Entry, nanoseconds
from deploy.image.opened import opened
from deploy.image.pieces import Bytes

# Raised whenever an entry is read in another way: lists of another version are made anew.
_VERSION = 1
_KEPT = 1000
_CHUNK = 1 << 20
_LARGE = 1 << 18
_XATTR = "SCHILY.xattr."
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_DEVICE, _XATTRS = Entry._fields.index("device"), Entry._fields.index("xattrs")
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


class UnfitError(DeployError):
    """An image holds something that only its own layers can carry."""


@dataclass(frozen=True, slots=True)
class Index:
    """What a layer holds, in the order of its tar, and the tar's bytes."""

    diff_id: str
    size: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Indexes:
    """A folder of lists of layers; they stay when the layers themselves have to go."""

    folder: Path

    def has(self, diff_id: str) -> bool:
        """Tell whether there is a list of a layer."""
        return self._file(diff_id).exists()

    def find(self, diff_id: str) -> Index | None:
        """Read a list; None where there is none of today's kind."""
        try:
            os.utime(self._file(diff_id))
            found = json.loads(self._file(diff_id).read_bytes())
            if found["version"] != _VERSION:
                return None
            return Index(diff_id, found["size"], tuple(map(_entry_of, found["entries"])))
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def make(self, diff_id: str, tar: Bytes, *, proves_itself: bool = False) -> Index:
        """Read a layer's tar and keep the list of what it holds.

        One that proves itself gives its last byte away only when it is what its digest says.

        Raises:
            UnfitError: when it holds what cannot be told of path by path, or is damaged.
            DeployError: when it is still arriving, and its last byte does not come.
        """
        with ThreadPoolExecutor(1) as beside:
            is_proven = _is_whole if proves_itself else _is_proven
            proven = beside.submit(is_proven, tar, diff_id)
            made = Index(diff_id, len(tar), tuple(scan(tar, hex_of(diff_id))))
        # No node proves the layers that a delta is made of.
        if not proven.result():
            raise UnfitError(f"layer {hex_of(diff_id)[:12]} is damaged in the cache")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        said = {"version": _VERSION, "size": made.size, "entries": made.entries}
        new = self._file(diff_id).with_suffix(f".new-{os.getpid()}")
        new.write_text(json.dumps(said, separators=(",", ":")))
        new.replace(self._file(diff_id))
        self._trim()
        return made

    def _trim(self) -> None:
        for file in oldest_first(self.folder)[:-_KEPT]:
            file.path.unlink(missing_ok=True)

    def _file(self, diff_id: str) -> Path:
        return self.folder / hex_of(diff_id)


def _entry_of(row: list[Any]) -> Entry:
    row[_DEVICE] = tuple(row[_DEVICE])
    row[_XATTRS] = tuple(map(tuple, row[_XATTRS]))
    return Entry._make(row)


def scan(tar: Bytes, name: str) -> Iterator[Entry]:
    """Read every entry of a layer's tar, which may still be arriving; `name` is for errors.

    Raises:
        UnfitError: for what is not told of path by path: sparse files, names that lead out.
        DeployError: when it does not arrive.
    """
    try:
        with (
            opened(tar) as stream,
            tarfile.open(
                fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape"
            ) as packed,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            found = [_hashed(_read(member), tar, pool) for member in packed]
            yield from (one.result() if isinstance(one, Future) else one for one in found)
    except (tarfile.TarError, ValueError, OSError) as error:
        raise UnfitError(f"layer {name[:12]} cannot be read as a tar: {error}") from error


def _is_whole(tar: Bytes, _: str) -> bool:
    return bool(tar[len(tar) - 1 : len(tar)])


def _is_proven(tar: Bytes, diff_id: str) -> bool:
    found = hashlib.sha256()
    for at in range(0, len(tar), _CHUNK):
        found.update(tar[at : at + _CHUNK])
    return found.hexdigest() == hex_of(diff_id)


def _hashed(entry: Entry, tar: Bytes, pool: ThreadPoolExecutor) -> Entry | Future[Entry]:
    """Hash a file; a large one beside the rest, for that leaves the interpreter free."""
    if entry.kind != "f":
        return entry
    return _with_hash(entry, tar) if entry.size < _LARGE else pool.submit(_with_hash, entry, tar)


def _read(member: tarfile.TarInfo) -> Entry:
    path = _clean(member.name)
    kind = _KINDS.get(member.type, "")
    if not kind or member.issparse() or (kind == "c" and not member.devmajor + member.devminor):
        raise UnfitError(f"{member.name!r} is of a kind that a delta cannot carry")
    folder, name = posixpath.split(path)
    if name == _OPAQUE:
        return Entry(folder, "o")
    if name.startswith(_WHITEOUT):
        if name.startswith(_WHITEOUT * 2) or name == _WHITEOUT:
            raise UnfitError(f"{member.name!r} is no whiteout that a delta can carry")
        return Entry(posixpath.join(folder, name.removeprefix(_WHITEOUT)), "w")
    return _described(member, path, kind)


def _described(member: tarfile.TarInfo, path: str, kind: str) -> Entry:
    mtime = member.pax_headers.get("mtime") or str(int(member.mtime))
    nanoseconds(mtime)
    xattrs = sorted(
        (name.removeprefix(_XATTR), value)
        for name, value in member.pax_headers.items()
        if name.startswith(_XATTR)
    )
    is_file = kind == "f"
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
        size=member.size if is_file else 0,
        at=member.offset_data if is_file else 0,
    )


def _link(member: tarfile.TarInfo, kind: str) -> str:
    if kind == "h":
        return _clean(member.linkname)
    return member.linkname if kind == "l" else ""


def _clean(name: str) -> str:
    """Write a path as every other is written; the root is empty."""
    parts = name.split("/")
    if ".." in parts:
        raise UnfitError(f"{name!r} leads out of its folder")
    return "/".join(part for part in parts if part not in {"", "."})


def _with_hash(entry: Entry, tar: Bytes) -> Entry:
    found = hashlib.sha256()
    end = entry.at + entry.size
    for at in range(entry.at, end, _CHUNK):
        found.update(tar[at : min(at + _CHUNK, end)])
    return entry._replace(sha256=found.hexdigest())
