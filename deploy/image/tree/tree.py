"""What a container sees of an image: its layers laid over one another."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from deploy.image.tree.entry import Entry
from deploy.image.tree.index import Index, UnfitError

# A folder that a layer's tar does not name, though it names something in it, is made so when a node
# unpacks the layer, and hides what lower layers say of it. Seen with podman 5.4.
_MADE_MODE = 0o755
# The root of an image whose layers do not name it.
ROOT = Entry("", "d", 0o555)


class Node(NamedTuple):
    """A path of a tree: what it is, the layer that says so, and the number of its inode there."""

    entry: Entry
    layer: str
    inode: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Every path of an image; the root is empty, and there only where a layer names it."""

    nodes: Mapping[str, Node]

    def groups(self) -> dict[str, tuple[str, ...]]:
        """List for each path that has hard links all names of it, in order."""
        names: dict[tuple[str, int], list[str]] = {}
        for path, node in self.nodes.items():
            if node.entry.kind == "f":
                names.setdefault((node.layer, node.inode), []).append(path)
        found = (tuple(sorted(group)) for group in names.values() if len(group) > 1)
        return {path: group for group in found for path in group}


def _parent(path: str) -> str:
    """Name the folder that a path is in; that of what lies in the root is empty."""
    return path.rpartition("/")[0]


def flatten(layers: Iterable[Index]) -> Tree:
    """Lay layers over one another, the lowest first.

    Raises:
        UnfitError: for what only a node could tell.
    """
    nodes: dict[str, Node] = {}
    for layer in layers:
        _lay(nodes, _Upper(layer).read())
    return Tree(nodes)


def _lay(nodes: dict[str, Node], upper: "_Upper") -> None:
    """Whiteouts act on lower layers only: they go before the layer's own entries."""
    for path in upper.removed & upper.nodes.keys() & nodes.keys():
        if nodes[path].entry.kind == upper.nodes[path].entry.kind == "d":
            # Podman 5.4 then shows what was in it after all, against the specification.
            raise UnfitError(f"a layer removes the folder {path!r} and makes it anew")
    others = {path for path, node in upper.nodes.items() if node.entry.kind != "d"}
    emptied = {
        path
        for path in upper.removed | upper.opaque | others
        if path in nodes and nodes[path].entry.kind == "d"
    }
    if emptied:
        for path in [one for one in nodes if any(above in emptied for above in _up(one))]:
            del nodes[path]
    for path in upper.removed & nodes.keys():
        del nodes[path]
    nodes.update(upper.nodes)


def _up(path: str) -> Iterator[str]:
    """Name the folders above a path but the root, which nothing hides."""
    while (at := path.rfind("/")) > 0:
        path = path[:at]
        yield path


class _Upper:
    """One layer as a node unpacks it."""

    def __init__(self, layer: Index) -> None:
        self._layer = layer
        self.nodes: dict[str, Node] = {}
        self.removed: set[str] = set()
        self.opaque: set[str] = set()

    def read(self) -> "_Upper":
        for number, entry in enumerate(self._layer.entries):
            self._make_folders(entry)
            if entry.kind == "w":
                self._remove(entry)
            elif entry.kind == "o":
                self._hide(entry)
            else:
                self._add(entry, number)
        return self

    def _make_folders(self, entry: Entry) -> None:
        folder = entry.path if entry.kind == "o" else _parent(entry.path)
        while folder:
            if found := self.nodes.get(folder):
                if found.entry.kind != "d":
                    raise UnfitError(f"{entry.path!r} leads through a link of its own layer")
                return
            self._put(Entry(folder, "d", _MADE_MODE), -1)
            folder = _parent(folder)

    def _remove(self, entry: Entry) -> None:
        if entry.path in self.nodes or not entry.path:
            raise UnfitError(f"a layer removes {entry.path!r}, which it holds")
        self.removed.add(entry.path)

    def _hide(self, entry: Entry) -> None:
        if not entry.path:
            raise UnfitError("a layer hides all below it")
        self.opaque.add(entry.path)

    def _add(self, entry: Entry, number: int) -> None:
        if entry.kind == "h":
            self._link(entry)
            return
        if not entry.path and (entry.kind != "d" or entry.xattrs):
            raise UnfitError("the root is no plain folder")
        self._put(entry, number)

    def _link(self, entry: Entry) -> None:
        target = self.nodes.get(entry.link)
        if target is None or target.entry.kind != "f":
            raise UnfitError(f"{entry.path!r} is a hard link to nothing of its own layer")
        # A node gives the file what the link says of it; podman's and Docker's layers say the same.
        said, held = entry, target.entry
        if (said.mode, said.uid, said.gid, said.mtime) != (
            held.mode, held.uid, held.gid, held.mtime,
        ) or said.xattrs not in {(), held.xattrs}:  # fmt: skip
            raise UnfitError(f"the hard link {entry.path!r} differs from its target")
        self._put(entry, target.inode, target.entry)

    def _put(self, entry: Entry, inode: int, held: Entry | None = None) -> None:
        found = self.nodes.get(entry.path)
        if found and found.entry.kind == "d" != entry.kind and self._has_content(entry.path):
            raise UnfitError(f"a layer holds {entry.path!r} as a folder and as something else")
        self.nodes[entry.path] = Node(held or entry, self._layer.diff_id, inode)

    def _has_content(self, folder: str) -> bool:
        return any(path.startswith(f"{folder}/") for path in self.nodes)
