"""The files, directories and links of a config, found by path and added to."""

from dataclasses import dataclass, field

from butane.errors import ButaneError
from butane.translate.record import Path, Record, Value
from butane.translate.schema_storage import DIRECTORY, FILE, LINK, STORAGE
from butane.translate.source_map import SourceMap

NODE_EXISTS = "matching filesystem node has existing contents or different type"
_STRUCTS = {"files": FILE, "directories": DIRECTORY, "links": LINK}


@dataclass(slots=True)
class StorageNodes:
    """An index of a config's filesystem nodes: path to place, by kind of list."""

    config: Record
    sources: SourceMap
    places: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        storage = self.config.record("storage")
        for kind in _STRUCTS:
            nodes = storage.records(kind)
            self.places[kind] = {node.text("path"): i for i, node in enumerate(nodes)}

    def refuse(self, path: str) -> None:
        """Raise `ButaneError` when any node has the path."""
        if any(path in places for places in self.places.values()):
            raise ButaneError(NODE_EXISTS)

    def find(self, kind: str, path: str) -> tuple[int, Record] | None:
        """Find a node of one kind, with its place."""
        place = self.places[kind].get(path)
        if place is None:
            return None
        return place, self.config.record("storage").records(kind)[place]

    def add(
        self, kind: str, path: str, values: dict[str, Value], origin: Path
    ) -> tuple[int, Record]:
        """Add a node that comes from one place of the source; give its own place."""
        node = Record(_STRUCTS[kind], {"path": path, **values})
        storage = self.config.values.setdefault("storage", Record(STORAGE))
        if not isinstance(storage, Record):
            raise TypeError("storage is no record")
        nodes = storage.records(kind)
        index = self.places[kind][path] = len(nodes)
        storage.values[kind] = [*nodes, node]
        self.sources.add_all(origin, ("storage", kind, index), node)
        if index == 0:
            self.sources.add(origin, ("storage", kind))
        return index, node
