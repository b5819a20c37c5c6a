"""Warnings on keys that a version does not know."""

from butane.translate.finding import Findings
from butane.translate.record import Path, Record, Struct, fields_of
from butane.translate.report import render_path
from butane.translate.yaml_node import Node


def find_unused_keys(config: Record, root: Node, minor: int, findings: Findings) -> None:
    """Walk the file and its schema together and warn of every key that has no field."""
    _Search(minor, findings).record(config, root, ())


class _Search:
    def __init__(self, minor: int, findings: Findings) -> None:
        self._minor = minor
        self._findings = findings

    def record(self, value: Record, node: Node, path: Path) -> None:
        if node.kind != "mapping":
            self._findings.warn(path, mismatch(path))
            return
        known = {each.name for each in fields_of(value.struct, self._minor)}
        for key in dict.fromkeys(key.text for key, _ in node.pairs()):
            if key not in known:
                self._findings.unused(path, key)
        for each in fields_of(value.struct, self._minor):
            child = node.child(each.name)
            if child is None or not isinstance(each.type, Struct):
                continue
            below = (*path, each.name)
            if each.many:
                self._items(value.records(each.name), child, below)
            elif each.plain or value.has(each.name):
                found = value.record(each.name)
                self.record(found if value.has(each.name) else Record(each.type), child, below)

    def _items(self, values: list[Record], node: Node, path: Path) -> None:
        if node.kind == "sequence":
            for index, (value, child) in enumerate(zip(values, node.items, strict=False)):
                self.record(value, child, (*path, index))


def mismatch(path: Path) -> str:
    """Report a value in place of a mapping."""
    return (
        f"context tree does not match content tree at {render_path(path)}. Line and column"
        " reporting may be inconsistent. Unused keys may not be reported"
    )
