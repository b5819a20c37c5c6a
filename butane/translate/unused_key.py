"""Warnings on keys that a version does not know, in YAML or in Ignition JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from butane.translate.finding import Findings
from butane.translate.ignition_document import Json
from butane.translate.record import Field, Path, Record, Struct, fields_of
from butane.translate.report import render_path
from butane.translate.yaml_node import Node

_Tree: TypeAlias = "Node | Json"


def find_unused_keys(
    value: Record, tree: _Tree, path: Path, minor: int, findings: Findings
) -> None:
    """Walk a file and its schema together and warn of every key that has no field."""
    found = _mapping(tree)
    if found is None:
        findings.warn(
            path,
            f"context tree does not match content tree at {render_path(path)}. Line and column"
            " reporting may be inconsistent. Unused keys may not be reported",
        )
        return
    fields = fields_of(value.struct, minor)
    known = (
        {each.name: each for each in fields}
        if isinstance(tree, Node)
        else {each.json: each for each in fields if not each.sugar}
    )
    for key in found:
        if key not in known:
            findings.unused(path, key)
    for key in [key for key in known if key in found]:
        for item, inner, below in _nested(value, known[key], found[key]):
            find_unused_keys(item, inner, (*path, key, *below), minor, findings)


def _nested(value: Record, each: Field, tree: _Tree) -> Iterator[tuple[Record, _Tree, Path]]:
    """List the records of a field with their part of the file."""
    if not isinstance(each.type, Struct):
        return
    if each.many:
        pairs = zip(value.records(each.name), _items(tree), strict=False)
        for index, (item, inner) in enumerate(pairs):
            yield item, inner, (index,)
    elif value.has(each.name):
        yield value.record(each.name), tree, ()
    elif each.plain:
        yield Record(each.type), tree, ()


def _mapping(tree: _Tree) -> Mapping[str, _Tree] | None:
    if isinstance(tree, Node):
        return {key.text: value for key, value in tree.pairs()} if tree.kind == "mapping" else None
    return tree if isinstance(tree, dict) else None


def _items(tree: _Tree) -> Sequence[_Tree]:
    if isinstance(tree, Node):
        return tree.items if tree.kind == "sequence" else ()
    return tree if isinstance(tree, list) else ()
