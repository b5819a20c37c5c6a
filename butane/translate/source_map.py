"""Where in the Butane file each part of the Ignition config comes from.

Paths use Butane names on both sides. A path that is not in the map comes from its own like.
"""

from collections.abc import Iterator

from butane.translate.record import Path, Record, Value, is_zero


class SourceMap(dict[Path, Path]):
    """Source paths by result path."""

    def add(self, source: Path, result: Path) -> None:
        """Record the source of one path."""
        self[result] = source

    def add_all(self, source: Path, result: Path, value: Value) -> None:
        """Record one source for a value and everything in it."""
        for inner in populated(value):
            self[(*result, *inner)] = source

    def find(self, result: Path) -> Path:
        """Find the source of a path."""
        return self.get(result, result)

    def below(self, result: Path) -> list[Path]:
        """List the known paths that begin with a path."""
        return [path for path in self if path[: len(result)] == result]


def populated(value: Value) -> Iterator[Path]:
    """List the paths in a value that hold something, the value itself first."""
    if is_zero(value):
        return
    yield ()
    if isinstance(value, Record):
        for name, child in value.values.items():
            for inner in populated(child):
                yield (name, *inner)
    elif isinstance(value, list):
        items: list[str | Record] = list(value)
        for index, item in enumerate(items):
            for inner in populated(item):
                yield (index, *inner)
