"""Decode YAML nodes to records, by the schema table and go-yaml's rules."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from butane.errors import ButaneError
from butane.translate.record import Field, Record, Struct, Value, field_named
from butane.translate.report import Report
from butane.translate.yaml_node import Node
from butane.translate.yaml_scalar import Resolved, is_null, resolve

_WORDS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_LARGEST = 2**63 - 1
_SHOWN = 10

# go-yaml's limits on the expansion of aliases
_FREE_ALIASES = 100
_FREE_NODES = 1000
_SMALL, _LARGE = 400_000, 4_000_000
_SMALLEST = -(2**63)


@dataclass(slots=True)
class Decoder:
    """Decodes nodes for one minor version and gathers the problems."""

    minor: int
    problems: list[Report] = field(default_factory=list)
    _seen: int = 0
    _aliased: int = 0
    _depth: int = 0

    def record(self, node: Node, struct: Struct) -> Record | None:
        """Decode a mapping; None when it is null or not a mapping."""
        into = Record(struct)
        return into if self._mapping(node, into, None) else None

    def _count(self) -> None:
        """Refuse a document whose aliases expand too far."""
        self._seen += 1
        self._aliased += self._depth > 0
        if self._aliased > _FREE_ALIASES and self._seen > _FREE_NODES:
            scale = min(max((self._seen - _SMALL) / (_LARGE - _SMALL), 0), 1)
            if self._aliased / self._seen > 0.99 - 0.89 * scale:
                raise ButaneError("yaml: document contains excessive aliasing")

    @contextmanager
    def _open(self, node: Node) -> Iterator[Node]:
        """Count a node and follow an alias; nodes within the block lie below it."""
        self._depth += node.kind == "alias"
        self._count()
        yield node.target or node
        self._depth -= node.kind == "alias"

    def _refuse(self, node: Node, wanted: str) -> None:
        tag = resolve(node).tag if node.kind == "scalar" else ""
        found = f"{tag} `{_shorten(node.text)}`" if tag else node.tag or f"!!{_SHORT[node.kind]}"
        self._report(node, f"cannot unmarshal {found} into {wanted}")

    def _report(self, node: Node, message: str) -> None:
        found = Report("error", "", node.line, node.column, message, file=node.file)
        self.problems.append(found)

    def _mapping(self, node: Node, into: Record, merged: set[str] | None) -> bool:
        with self._open(node) as found:
            if found.kind != "mapping":
                if not is_null(found):
                    self._refuse(found, into.struct.name)
                return False
            if self._has_duplicates(found):
                return False
            self._fields(found, into, merged)
            self._merges(found, into, merged)
        into.sort(self.minor)
        return True

    def _fields(self, node: Node, into: Record, merged: set[str] | None) -> None:
        done: set[str] = set()
        for key, value in node.pairs():
            name = None if _is_merge(key) else self._key(key)
            if name is None or (merged is not None and name in merged):
                continue
            if merged is not None:
                merged.add(name)
            wanted = field_named(into.struct, self.minor, name)
            if wanted is not None and name in done:
                self._report(key, f"field {name} already set in type {into.struct.name}")
            elif wanted is not None:
                done.add(name)
                found = self._list(value, wanted) if wanted.many else self._value(value, wanted)
                into.put(wanted, found)

    def _merges(self, node: Node, into: Record, merged: set[str] | None) -> None:
        found = [value for key, value in node.pairs() if _is_merge(key)]
        if not found:
            return
        known = merged if merged is not None else {key.text for key, _ in node.pairs()}
        value = found[-1]
        for each in value.items if value.kind == "sequence" else [value]:
            target = each.target if each.kind == "alias" else each
            if target is None or target.kind != "mapping":
                raise ButaneError("yaml: map merge requires map or sequence of maps as the value")
            self._mapping(each, into, known)

    def _has_duplicates(self, node: Node) -> bool:
        first: dict[tuple[str, str], Node] = {}
        found = False
        for key, _ in node.pairs():
            earlier = first.setdefault((key.kind, key.text), key)
            if earlier is not key:
                self._report(
                    key, f'mapping key "{key.text}" already defined at line {earlier.line}'
                )
                found = True
        return found

    def _key(self, node: Node) -> str | None:
        with self._open(node) as found:
            if found.kind == "scalar":
                return None if is_null(found) else _text(resolve(found), found)
            self._refuse(found, "string")
        return None

    def _list(self, node: Node, wanted: Field) -> Value | None:
        with self._open(node) as found:
            if found.kind == "sequence":
                values = [self._value(item, wanted) for item in found.items]
                if isinstance(wanted.type, Struct):
                    return [each for each in values if isinstance(each, Record)]
                return [each for each in values if isinstance(each, str)]
            if not is_null(found):
                self._refuse(found, f"a list of {_name(wanted)}")
        return None

    def _value(self, node: Node, wanted: Field) -> Value | None:
        if isinstance(wanted.type, Struct):
            return self.record(node, wanted.type)
        with self._open(node) as found:
            resolved = resolve(found) if found.kind == "scalar" else None
            if resolved and resolved.meaning is None:
                return None
            value = _CONVERT[wanted.type](resolved, found) if resolved else None
            if value is None:
                self._refuse(found, _name(wanted))
        return value


_SHORT = {"mapping": "map", "sequence": "seq", "scalar": "str", "alias": "alias"}


def _is_merge(key: Node) -> bool:
    return key.kind == "scalar" and key.text == "<<" and not key.quoted and key.tag in _MERGE_TAGS


_MERGE_TAGS = ("", "!!merge")


def _name(wanted: Field) -> str:
    if isinstance(wanted.type, Struct):
        return wanted.type.name
    return {"text": "string", "integer": "int", "boolean": "bool"}[wanted.type]


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _text(resolved: Resolved, node: Node) -> str:
    if resolved.tag == "!!binary" and isinstance(resolved.meaning, str):
        return resolved.meaning
    return node.text


def _integer(resolved: Resolved, _node: Node) -> int | None:
    number = resolved.meaning
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if isinstance(number, float):
        if math.isnan(number) or number > _LARGEST:
            return None
        number = max(number, _SMALLEST)
    return int(number) if number <= _LARGEST else None


def _boolean(resolved: Resolved, _node: Node) -> bool | None:
    if isinstance(resolved.meaning, bool):
        return resolved.meaning
    return _WORDS.get(str(resolved.meaning))


_CONVERT = {"text": _text, "integer": _integer, "boolean": _boolean}
