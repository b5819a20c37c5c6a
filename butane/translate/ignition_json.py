"""Write Ignition JSON as the `butane` program does: same order, omissions and escapes."""

import json
import re
from typing import TypeAlias

from butane.translate.record import Field, Record, Value, fields_of
from butane.translate.versions import Version

Tree: TypeAlias = "str | int | bool | dict[str, Tree] | list[Tree] | None"

_ESCAPE = re.compile(r"\\(.)|[<>&]|[\u2028\u2029]|[\ud800-\udfff]")
_NARROW = {"b": r"\u0008", "f": r"\u000c"}


def write(config: Record, version: Version, *, pretty: bool = False) -> str:
    """Write a config, compact or indented by two, with a newline at the end."""
    tree = _tree(config, version.minor)
    ignition = _tree(config.record("ignition"), version.minor)
    tree = {"ignition": {**ignition, "version": version.ignition}, **tree}
    layout = (",", ": ") if pretty else (",", ":")
    text = json.dumps(tree, ensure_ascii=False, separators=layout, indent=2 if pretty else None)
    return _ESCAPE.sub(_escape, text) + "\n"


def _escape(match: re.Match[str]) -> str:
    if match[1]:
        return _NARROW.get(match[1], match[0])
    if "\ud800" <= match[0] <= "\udfff":  # a byte that is not text
        return "\\ufffd"
    return f"\\u{ord(match[0]):04x}"


def _tree(record: Record, minor: int) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for each in fields_of(record.struct, minor):
        if each.sugar or each.name == "ignition":
            continue
        value = record.values.get(each.name)
        if each.always or not _is_omitted(each, value, minor):
            found[each.json] = _value(each, value, minor)
    return found


def _value(each: Field, value: Value | None, minor: int) -> Tree:
    if isinstance(value, Record):
        return _tree(value, minor)
    if isinstance(value, list):
        return [_tree(x, minor) if isinstance(x, Record) else x for x in value]
    return "" if value is None and each.plain else value


def _is_omitted(each: Field, value: Value | None, minor: int) -> bool:
    if isinstance(value, Record):  # a struct without any value is left out where it is plain
        return each.plain and all(
            inner.sugar or _is_omitted(inner, value.values.get(inner.name), minor)
            for inner in fields_of(value.struct, minor)
        )
    return value is None or value == [] or (each.plain and not value)
