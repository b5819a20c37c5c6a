"""Write Ignition JSON as the `butane` program does: same order, omissions and escapes."""

import json
import re
from typing import TypeAlias

from butane.translate.record import Field, Record, Struct, Value, fields_of
from butane.translate.versions import Version

Tree: TypeAlias = "str | int | bool | dict[str, Tree] | list[Tree] | None"

_ESCAPE = re.compile(r"\\(.)|[<>&]|[\u2028\u2029]|[\ud800-\udfff]")
_NARROW = {"b": r"\u0008", "f": r"\u000c"}


def write(config: Record, version: Version, *, pretty: bool = False) -> str:
    """Write a config, compact or indented by two, with a newline at the end."""
    tree = {"ignition": _ignition(config, version), **_tree(config, version.minor)}
    layout = (",", ": ") if pretty else (",", ":")
    text = json.dumps(tree, ensure_ascii=False, separators=layout, indent=2 if pretty else None)
    return _ESCAPE.sub(_escape, text) + "\n"


def _ignition(config: Record, version: Version) -> Tree:
    return {**_tree(config.record("ignition"), version.minor), "version": version.ignition}


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
    if value is None or value == []:
        return True
    if each.plain and isinstance(each.type, Struct) and isinstance(value, Record):
        return not _prints(value, minor)
    return each.plain and not isinstance(value, Record) and not value


def _prints(record: Record, minor: int) -> bool:
    """Check whether a nested struct has any value that is not empty."""
    return any(
        not each.sugar and not _is_omitted(each, record.values.get(each.name), minor)
        for each in fields_of(record.struct, minor)
    )
