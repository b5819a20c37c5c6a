"""What changed from one tree to another, as one layer on top of the first."""

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.image.entry import Entry
from deploy.image.tree import ROOT, Node, Tree, ancestors, parent

_TYPES = {
    "f": tarfile.REGTYPE,
    "d": tarfile.DIRTYPE,
    "l": tarfile.SYMTYPE,
    "p": tarfile.FIFOTYPE,
    "c": tarfile.CHRTYPE,
    "b": tarfile.BLKTYPE,
}
_CHUNK = 1 << 20
_OCTAL_LIMIT = 8**11


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a delta: a path of the new tree, a hard link to one before it, or a whiteout.

    `like` is a file of the old tree that its content is taken to resemble.
    """

    path: str
    node: Node | None
    link: str = ""
    like: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a file's content begins in the delta's tar, and where its like does among the likes."""

    at: int
    size: int
    old: int
    old_size: int


def difference(old: Tree, new: Tree) -> tuple[Item, ...]:
    """List what a layer on top of the old tree must hold to make the new one of it."""
    groups = new.groups()
    changed = _changed(old, new, groups)
    gone = tuple(_gone(old, new))
    named = set(changed)
    for path in (*changed, *gone):
        named.update(one for one in ancestors(path) if one in new.nodes)
    items = [Item(path, None) for path in gone]
    items += _named(new, named, groups, _Likes(old))
    if _root(old) != _root(new) or "" in named:
        items.append(Item("", new.nodes.get("", Node(ROOT, "", 0))))
    return tuple(sorted(items, key=lambda item: item.path.split("/") if item.path else []))


def _root(tree: Tree) -> tuple[int, int, int]:
    held = tree.nodes[""].entry if "" in tree.nodes else ROOT
    return held.mode, held.uid, held.gid


def _changed(old: Tree, new: Tree, groups: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Name what differs; hard links move together, for all of a group share what they look like."""
    before = old.groups()
    found: set[str] = set()
    for path, node in new.nodes.items():
        held = old.nodes.get(path)
        same = held is not None and (held is node or held.entry.looks == node.entry.looks)
        if path and not (same and before.get(path) == groups.get(path)):
            found.add(path)
    return found


def _gone(old: Tree, new: Tree) -> Iterator[str]:
    """Name what a whiteout has to remove: what was alone in a folder that is there still."""
    for path in old.nodes.keys() - new.nodes.keys():
        folder = parent(path)
        there = not folder or (folder in new.nodes and new.nodes[folder].entry.kind == "d")
        if path and there:
            yield path


def _named(
    new: Tree, named: set[str], groups: Mapping[str, tuple[str, ...]], likes: "_Likes"
) -> Iterator[Item]:
    for path in named - {""}:
        node = new.nodes[path]
        first = min(groups.get(path, (path,)), key=lambda one: one.split("/"))
        if path != first:
            yield Item(path, node, link=first)
        else:
            yield Item(path, node, like=likes.of(path, node.entry))


class _Likes:
    """Which file of the old tree each new one most probably resembles."""

    def __init__(self, old: Tree) -> None:
        self._old = old
        self._same: dict[str, str] | None = None
        self._named: dict[str, str] = {}

    def of(self, path: str, entry: Entry) -> str:
        if entry.kind != "f" or not entry.size:
            return ""
        held = self._old.nodes.get(path)
        if held and held.entry.kind == "f" and held.entry.size:
            return path
        if self._same is None:
            self._same = {}
            self._read()
        return self._same.get(entry.sha256) or self._named.get(_numberless(path), "")

    def _read(self) -> None:
        """Look for content that moved, and for names in which only a version changed."""
        self._same = {}
        for path, node in sorted(self._old.nodes.items()):
            if node.entry.kind == "f" and node.entry.size:
                self._same[node.entry.sha256] = path
                self._named[_numberless(path)] = path


def _numberless(path: str) -> str:
    return re.sub(r"[0-9]+", "0", path)


def write(
    items: tuple[Item, ...], layer_of: Callable[[str], Path], out: IO[bytes], old: Tree
) -> tuple[str, tuple[Mark, ...]]:
    """Write a delta as a tar; give its digest, and where each file and its like begin.

    The likes are counted as if they lay one after another, in the order of the items.
    """
    hashed = hashlib.sha256()
    marks = []
    at = likes = 0

    def put(data: bytes) -> None:
        nonlocal at
        hashed.update(data)
        out.write(data)
        at += len(data)

    for item in items:
        put(header(item))
        entry = item.node.entry if item.node else None
        if entry and item.node and not item.link and entry.kind == "f":
            size = old.nodes[item.like].entry.size if item.like else 0
            marks.append(Mark(at, entry.size, likes, size))
            likes += size
            for part in read(layer_of(item.node.layer), entry):
                put(part)
            put(bytes(-entry.size % tarfile.BLOCKSIZE))
    put(bytes(2 * tarfile.BLOCKSIZE))
    return f"sha256:{hashed.hexdigest()}", tuple(marks)


def read(layer: Path, entry: Entry) -> Iterator[bytes]:
    """Read the content of a file out of its layer.

    Raises:
        OSError: when it is not what the layer held when its list was made.
    """
    hashed = hashlib.sha256()
    with layer.open("rb") as stream:
        stream.seek(entry.at)
        left = entry.size
        while left:
            part = stream.read(min(_CHUNK, left))
            if not part:
                raise OSError(f"{layer.name} ends within {entry.path}")
            left -= len(part)
            hashed.update(part)
            yield part
    if hashed.hexdigest() != entry.sha256:
        raise OSError(f"{entry.path} is damaged in the cached layer {layer.name[:12]}")


def header(item: Item) -> bytes:
    """Write what stands before an entry's content; times and attributes as they were read."""
    if item.node is None:
        folder, _, name = item.path.rpartition("/")
        made = tarfile.TarInfo(f"{folder}/.wh.{name}" if folder else f".wh.{name}")
        return _bytes(made)
    entry = item.node.entry
    made = tarfile.TarInfo(item.path or ".")
    made.mode, made.uid, made.gid = entry.mode, entry.uid, entry.gid
    made.devmajor, made.devminor = entry.device
    headers: dict[str, str] = {}
    if item.link:
        made.type, made.linkname = tarfile.LNKTYPE, item.link
    else:
        made.type, made.linkname, made.size = _TYPES[entry.kind], entry.link, entry.size
        headers |= {f"SCHILY.xattr.{name}": value for name, value in entry.xattrs}
    whole = entry.mtime or "0"
    if whole.isdecimal() and int(whole) < _OCTAL_LIMIT:
        made.mtime = int(whole)
    else:
        # As it was written: a float would round what is beyond the second.
        made.mtime, headers["mtime"] = 0, whole
    made.pax_headers = headers
    return _bytes(made)


def _bytes(made: tarfile.TarInfo) -> bytes:
    return made.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
