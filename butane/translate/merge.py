"""Ignition's merge of a parent and a child config, with the sources of both."""

from dataclasses import dataclass, field
from typing import TypeAlias

from butane.translate.record import (
    Field,
    Path,
    Record,
    Struct,
    Value,
    fields_of,
    is_zero,
    item_key,
)
from butane.translate.source_map import SourceMap, populated

_Places: TypeAlias = "dict[tuple[str, str], tuple[str, int]]"
_Pairs: TypeAlias = "list[tuple[Side, Side | None]]"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a merge: a value, where it stands in its config, and that config's sources."""

    value: Value | None = field(repr=False)
    sources: SourceMap
    path: Path = ()

    def field(self, name: str) -> "Side":
        """Step into a field of a record."""
        value = self.value.values.get(name) if isinstance(self.value, Record) else None
        return Side(value, self.sources, (*self.path, name))

    def items(self) -> "list[Side]":
        """Step into the items of a list."""
        items: list[str | Record] = list(self.value) if isinstance(self.value, list) else []
        return [Side(item, self.sources, (*self.path, i)) for i, item in enumerate(items)]

    def source(self) -> Path:
        """The source of the value."""
        return self.sources.find(self.path)


def merge(parent: Side, child: Side, minor: int) -> tuple[Record, SourceMap]:
    """Merge two configs: the child wins, its items override the parent's like-named ones."""
    state = _Merge(minor, SourceMap(child.sources))
    return state.record(parent, child, ()), state.sources


@dataclass(frozen=True, slots=True)
class _Merge:
    minor: int
    sources: SourceMap

    def record(self, parent: Side, child: Side, to: Path) -> Record:
        """Merge two records into one at a path of the result."""
        if not isinstance(child.value, Record):
            raise TypeError(f"no record at {child.path}")
        result = Record(child.value.struct)
        places = _places(child.value, self.minor)
        for each in fields_of(result.struct, self.minor):
            sides = parent.field(each.name), child.field(each.name)
            target = (*to, each.name)
            value = (
                self._list(each, sides, target, (result.struct, places))
                if each.many
                else self._single(each, sides, target)
            )
            if value is not None:
                result.values[each.name] = value
        if to and not is_zero(child.value):
            self.sources.add(child.source(), to)
        return result

    def _single(self, each: Field, sides: tuple[Side, Side], to: Path) -> Value | None:
        parent, child = sides
        nested = isinstance(each.type, Struct)
        no_parent, no_child = (
            is_zero(side.value) if nested and each.plain else side.value is None for side in sides
        )
        if no_child and (nested or not each.plain):
            return self._adopt(parent, to)
        if nested and not no_parent:
            return self.record(parent, child, to)
        return child.value if child.path == to else self._adopt(child, to)

    def _list(
        self, each: Field, sides: tuple[Side, Side], to: Path, among: tuple[Struct, _Places]
    ) -> Value | None:
        parent, child = sides
        if is_zero(parent.value):
            return child.value if child.path == to else self._adopt(child, to)
        for path in self.sources.below(to):
            del self.sources[path]
        struct, places = among
        if each.name in struct.appended:
            chosen: _Pairs = [(side, None) for side in (*parent.items(), *child.items())]
        else:
            chosen = _paired(parent, child, _handle(struct, each.name), places)
        merged = [self._item(side, twin, (*to, i)) for i, (side, twin) in enumerate(chosen)]
        self.sources.add((child if child.value else parent).source(), to)
        records = [item for item in merged if isinstance(item, Record)]
        return records or [item for item in merged if isinstance(item, str)]

    def _item(self, side: Side, twin: Side | None, to: Path) -> Value | None:
        if twin is None:
            return self._adopt(side, to)
        if isinstance(twin.value, Record):
            return self.record(side, twin, to)
        return self._adopt(twin, to)

    def _adopt(self, side: Side, to: Path) -> Value | None:
        for inner in populated(side.value) if side.value is not None else ():
            self.sources.add(side.sources.find((*side.path, *inner)), (*to, *inner))
        return side.value


def _handle(struct: Struct, name: str) -> str:
    return "shared" if name in struct.shared else name


def _key(side: Side) -> str:
    return item_key(side.value) if isinstance(side.value, str | Record) else ""


def _places(child: Record, minor: int) -> _Places:
    """Record in which list, and where in it, each key of a record's lists is last."""
    found: _Places = {}
    for each in fields_of(child.struct, minor):
        if each.many and each.name not in child.struct.appended:
            handle = _handle(child.struct, each.name)
            for index, item in enumerate(child.items(each.name)):
                found[handle, item_key(item)] = (each.name, index)
    return found


def _paired(parent: Side, child: Side, handle: str, places: _Places) -> _Pairs:
    """Pair the items of the result: the parent's, with a child's twin, then the child's own."""
    chosen: _Pairs = []
    theirs = child.items()
    for side in parent.items():
        place = places.get((handle, _key(side)))
        if place is None:
            chosen.append((side, None))
        elif place[0] == child.path[-1] and not _removes_header(theirs[place[1]]):
            chosen.append((side, theirs[place[1]]))
    known = {_key(side) for side in parent.items()}
    return chosen + [(side, None) for side in theirs if _key(side) not in known]


def _removes_header(side: Side) -> bool:
    value = side.value
    return (
        isinstance(value, Record) and value.struct.name == "HTTPHeader" and not value.has("value")
    )
