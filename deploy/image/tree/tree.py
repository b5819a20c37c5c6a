"""The file tree of an image: its layers applied on top of one another."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from deploy.image.tree.entries import Entry, TreeError

# Mode of a folder that a layer implies but does not list: podman 5.4 creates it so when it unpacks
# the layer, and it replaces the same folder of lower layers.
_MADE_MODE = 0o755
# The root of every image, as podman makes it, whatever its layers say of it.
ROOT = Entry("", "d", 0o555)


class Node(NamedTuple):
    """A path of a tree: its entry, the layer it is from, and its inode number in that layer."""

    entry: Entry
    layer: int
    inode: int


# All paths of an image; the root is the empty path, present only if a layer lists it.
Tree: TypeAlias = Mapping[str, Node]


def hard_links(tree: Tree) -> dict[str, tuple[str, ...]]:
    """Map each path with hard links to all names of that file, sorted."""
    names: dict[tuple[int, int], list[str]] = {}
    for path, node in tree.items():
        if node.entry.kind == "f":
            names.setdefault((node.layer, node.inode), []).append(path)
    found = (tuple(sorted(group)) for group in names.values() if len(group) > 1)
    return {path: group for group in found for path in group}


def flatten(layers: Iterable[Iterable[Entry]]) -> Tree:
    """Apply layers on top of one another, lowest first.

    Raises:
        TreeError: when the result depends on the node.
    """
    nodes: dict[str, Node] = {}
    for number, entries in enumerate(layers):
        upper = _UnpackedLayer(number)
        upper.add(entries)
        _apply(nodes, upper)
    return nodes


def _apply(nodes: dict[str, Node], upper: "_UnpackedLayer") -> None:
    """Apply a layer; whiteouts affect lower layers only, so they come first."""
    for path in upper.removed & upper.nodes.keys() & nodes.keys():
        if nodes[path].entry.kind == upper.nodes[path].entry.kind == "d":
            # Podman 5.4 then shows the old content, against the specification.
            raise TreeError(f"a layer removes the folder {path!r} and creates it again")
    others = {path for path, node in upper.nodes.items() if node.entry.kind != "d"}
    emptied = {
        path
        for path in upper.removed | upper.opaque | others
        if path in nodes and nodes[path].entry.kind == "d"
    }
    if emptied:
        for path in [one for one in nodes if any(above in emptied for above in _parents(one))]:
            del nodes[path]
    for path in upper.removed & nodes.keys():
        del nodes[path]
    nodes.update(upper.nodes)


def _parents(path: str) -> Iterator[str]:
    """Yield the folders above a path, except the root."""
    while (at := path.rfind("/")) > 0:
        path = path[:at]
        yield path


class _UnpackedLayer:
    """One layer, unpacked as a node does it."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.nodes: dict[str, Node] = {}
        self.removed: set[str] = set()
        self.opaque: set[str] = set()

    def add(self, entries: Iterable[Entry]) -> None:
        for inode, entry in enumerate(entries):
            self._make_folders(entry)
            match entry.kind:
                case "w":
                    self._remove(entry)
                case "o":
                    self._hide(entry)
                case "h":
                    self._link(entry)
                case _:
                    self._put(entry, inode)

    def _make_folders(self, entry: Entry) -> None:
        folder = entry.path if entry.kind == "o" else _parent(entry.path)
        while folder:
            if found := self.nodes.get(folder):
                if found.entry.kind != "d":
                    raise TreeError(
                        f"{entry.path!r} is below a path that the same layer has as a link or file"
                    )
                return
            self._put(Entry(folder, "d", _MADE_MODE), -1)
            folder = _parent(folder)

    def _remove(self, entry: Entry) -> None:
        if entry.path in self.nodes or not entry.path:
            raise TreeError(f"a layer both removes and contains {entry.path!r}")
        self.removed.add(entry.path)

    def _hide(self, entry: Entry) -> None:
        if not entry.path:
            raise TreeError("a layer marks the root as opaque")
        self.opaque.add(entry.path)

    def _link(self, entry: Entry) -> None:
        target = self.nodes.get(entry.link)
        if target is None or target.entry.kind != "f":
            raise TreeError(
                f"{entry.path!r} is a hard link to a file that is not in the same layer"
            )
        # The node applies the link's attributes to the file; podman and Docker write equal ones.
        link, file = entry, target.entry
        if (link.mode, link.uid, link.gid, link.mtime) != (
            file.mode, file.uid, file.gid, file.mtime,
        ) or link.xattrs not in {(), file.xattrs}:  # fmt: skip
            raise TreeError(f"the hard link {entry.path!r} differs from its target")
        self._put(entry, target.inode, target.entry)

    def _put(self, entry: Entry, inode: int, held: Entry | None = None) -> None:
        if not entry.path and entry.kind != "d":
            raise TreeError("the root is not a folder")
        found = self.nodes.get(entry.path)
        if (
            found
            and found.entry.kind == "d" != entry.kind
            and any(path.startswith(f"{entry.path}/") for path in self.nodes)
        ):
            raise TreeError(f"a layer has {entry.path!r} both as a folder and as something else")
        self.nodes[entry.path] = Node(held or entry, self._number, inode)


def _parent(path: str) -> str:
    """Return the folder of a path; the root is empty."""
    return path.rpartition("/")[0]
