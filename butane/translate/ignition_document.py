"""Ignition JSON, read as Go reads it: keys in any case, and no number where a text belongs."""

import json
from typing import TypeAlias

from butane.errors import ButaneError
from butane.translate.record import Field, Record, Struct, Value, fields_of
from butane.translate.schema import DOCUMENT, IGNITION_DOCUMENT

Json: TypeAlias = "str | int | float | bool | dict[str, Json] | list[Json] | None"

_LARGEST = 2**63


def read_ignition(text: str, minor: int) -> tuple[Record, Json]:
    """Read a config, and its JSON, by the schema of one version; raise `ButaneError`."""
    tree = parse_json(text)
    config = _record(tree, DOCUMENT, minor)
    config.values.setdefault("ignition", Record(IGNITION_DOCUMENT))
    return config, tree


def parse_json(text: str) -> Json:
    """Parse JSON, without the NaN and Infinity of Python; raise `ButaneError`."""
    try:
        tree: Json = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ButaneError(f"line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}") from error
    except (ValueError, RecursionError) as error:
        raise ButaneError(f"not JSON: {error}") from error
    return tree


def _refuse_constant(word: str) -> float:
    raise ValueError(f"invalid number {word}")


def _record(tree: Json, struct: Struct, minor: int) -> Record:
    result = Record(struct)
    if tree is None:
        return result
    if not isinstance(tree, dict):
        raise ButaneError(f"cannot read {_kind(tree)} as {struct.name}")
    fields = [each for each in fields_of(struct, minor) if not each.sugar]
    names = {_fold(each.json): each for each in fields} | {each.json: each for each in fields}
    for key, child in tree.items():
        wanted = names.get(key) or names.get(_fold(key))
        value = _value(child, wanted, minor) if wanted else None
        if wanted and value is not None:
            result.put(wanted, value)
    result.sort(minor)
    return result


def _fold(name: str) -> str:
    return name.lower().replace("\u017f", "s")


def _value(tree: Json, wanted: Field, minor: int) -> Value | None:
    if tree is None or not wanted.many:
        return _single(tree, wanted, minor)
    if not isinstance(tree, list):
        raise ButaneError(f"cannot read {_kind(tree)} as a list for {wanted.json}")
    if isinstance(wanted.type, Struct):
        return [_record(item, wanted.type, minor) for item in tree]
    found = [_single(item, wanted, minor) for item in tree]
    return [each if isinstance(each, str) else "" for each in found]


def _single(tree: Json, wanted: Field, minor: int) -> Value | None:
    if tree is None:
        return None
    if isinstance(wanted.type, Struct):
        return _record(tree, wanted.type, minor)
    kinds = {"text": str, "boolean": bool, "integer": int}
    fits = type(tree) is kinds[wanted.type]
    small = not isinstance(tree, int) or -_LARGEST <= tree < _LARGEST
    if not isinstance(tree, str | bool | int) or not fits or not small:
        raise ButaneError(f"cannot read {_kind(tree)} as {wanted.type} for {wanted.json}")
    return tree


def _kind(tree: Json) -> str:
    if isinstance(tree, dict):
        return "an object"
    if isinstance(tree, list):
        return "a list"
    return "a text" if isinstance(tree, str) else f"{tree!r}"
