"""The operator's overlays: what of the folder a tree keeps, and files that nothing refers to."""

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from butane.errors import ButaneError
from butane.translate.yaml_node import Node
from deploy.project import OVERLAYS
from deploy.spec.lint.finding import Finding

# Names by which an operator may take a file for an overlay.
_ALMOST = frozenset({".bu", ".butane", ".fcc", ".ign", ".yaml", ".yml"})
_AUTO_UPDATE = re.compile(rb"AutoUpdate *= *registry|io\.containers\.autoupdate=registry")
_KEYS = frozenset({"local", "contents_local", "ssh_authorized_keys_local"})
_LINK, FOLDER, PROGRAM = "link ", "folder", "program"


def tree_roots(root: Node) -> tuple[str, ...]:
    """List the folders that `storage.trees` of a Butane document names."""
    storage = root.child("storage")
    trees = storage.child("trees") if storage else None
    items = [one.target or one for one in (trees.items if trees else ())]
    found = [one.child("local") for one in items]
    return tuple(posixpath.normpath(one.text) for one in found if one)


def tree_entries(folder: Path, roots: tuple[str, ...]) -> dict[str, str]:
    """List what is below some folders and is more than a file's content.

    Links are `link TARGET`, executable files `program`, folders `folder`.

    Raises:
        ButaneError: for a fifo, a socket or a device.
    """
    found: dict[str, str] = {}
    for root in roots:
        for where, folders, files in os.walk(folder / root):
            for name in (*folders, *files):
                path = Path(where, name)
                if kind := _kind(path):
                    found[path.relative_to(folder).as_posix()] = kind
    return found


def _kind(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"{_LINK}{path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return FOLDER
    if not stat.S_ISREG(status.st_mode):
        raise ButaneError(
            f"{path}: a tree has files, folders and symbolic links only", "remove it from the tree"
        )
    return PROGRAM if status.st_mode & stat.S_IXUSR else ""


def is_link(kind: str) -> bool:
    """Return whether an entry of a tree is a symbolic link."""
    return kind.startswith(_LINK)


def write_entries(folder: Path, entries: Mapping[str, str]) -> None:
    """Add the entries of trees to a folder that has their files' contents."""
    for name, kind in entries.items():
        path = folder / name
        if is_link(kind):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(kind.removeprefix(_LINK))
        elif kind == FOLDER:
            path.mkdir(parents=True, exist_ok=True)
        elif path.exists():
            path.chmod(path.stat().st_mode | stat.S_IXUSR)


def updates_by_itself(folder: Path) -> bool:
    """Find out whether an overlay has a container that podman updates from a registry."""
    files = (file for file in (folder / OVERLAYS).rglob("*") if file.is_file())
    return any(_AUTO_UPDATE.search(file.read_bytes()) for file in files)


def unused_overlays(names: Mapping[str, bytes], root: Node) -> Iterator[Finding]:
    """Find files that look like overlays, have another name, and that no Butane file names."""
    used = {PurePosixPath(posixpath.normpath(one)) for one in _references(root)}
    for name in names:
        path = PurePosixPath(name)
        almost = path.suffix.lower() in _ALMOST and path.suffix != ".bu"
        if almost and used.isdisjoint({path, *path.parents}):
            yield Finding(
                "warning",
                "overlay",
                str(OVERLAYS / name),
                0,
                "no Butane file refers to it",
                "Only files whose name ends in .bu are overlays; it is not part of the machine.",
                f"name it {path.stem}.bu if it is Butane, else refer to it: `local: {name}`",
            )


def nodes_below(root: Node) -> Iterator[Node]:
    """List a document's nodes, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node = node.target or node
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.items
        yield node


def _references(root: Node) -> Iterator[str]:
    """List the local files that a Butane document names."""
    for node in nodes_below(root):
        for key, value in node.pairs() if node.kind == "mapping" else ():
            if key.text in _KEYS:
                yield from (one.text for one in (value, *value.items) if one.text)
