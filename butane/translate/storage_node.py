"""The files, directories and links of a config, found by path and added to."""

from dataclasses import dataclass, field

from butane.translate.record import Record
from butane.translate.schema_storage import DIRECTORY, FILE, LINK, STORAGE

NODE_EXISTS = "matching filesystem node has existing contents or different type"
_STRUCTS = {"files": FILE, "directories": DIRECTORY, "links": LINK}


@dataclass(slots=True)
class StorageNodes:
    """An index of a config's filesystem nodes: path to place, by kind of list."""

    config: Record
    places: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        storage = self.config.record("storage")
        for kind in _STRUCTS:
            nodes = storage.records(kind)
            self.places[kind] = {node.text("path"): i for i, node in enumerate(nodes)}

    def exists(self, path: str) -> bool:
        """Check whether any node has the path."""
        return any(path in places for places in self.places.values())

    def find(self, kind: str, path: str) -> tuple[int, Record] | None:
        """Find a node of one kind, with its place."""
        place = self.places[kind].get(path)
        if place is None:
            return None
        return place, self.config.record("storage").records(kind)[place]

    def add(self, kind: str, path: str, owner: Record) -> tuple[int, Record]:
        """Add a node that belongs to the owner's user and group."""
        node = Record(_STRUCTS[kind], {"path": path})
        for name in ("group", "user"):
            if owner.has(name):
                node.values[name] = owner.values[name]
        storage = self.config.values.setdefault("storage", Record(STORAGE))
        if not isinstance(storage, Record):
            raise TypeError("storage is no record")
        nodes = [*storage.records(kind), node]
        storage.values[kind] = nodes
        self.places[kind][path] = len(nodes) - 1
        return len(nodes) - 1, node
