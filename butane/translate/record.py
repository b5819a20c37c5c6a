"""The words of the schema (Struct, Field), and the values that follow it (Record)."""

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

_FOREVER = 99
_EMPTY: tuple[str, int, bool] = ("", 0, False)  # what plain fields hold when unset

Scalar: TypeAlias = Literal["text", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its Butane name, its type, and the minor versions that have it.

    `plain` values have no unset state: unset equals empty. `always` ones are printed even so.
    `sugar` exists in Butane only. `since` is the first minor version, `until` the last.
    """

    name: str
    type: "Scalar | Struct"
    many: bool = False
    plain: bool = False
    always: bool = False
    sugar: bool = False
    since: int = 0
    until: int = _FOREVER

    @property
    def json(self) -> str:
        """The field's name in Ignition."""
        return camel(self.name)


class Struct:
    """A mapping of the schema: its fields in Ignition's order, and how its lists merge.

    `key` names an item among its siblings: a field, or a function of the item. Lists in `appended`
    may repeat an item and are put one after the other by a merge; lists in `shared` have one
    namespace together.
    """

    def __init__(
        self,
        name: str,
        *fields: Field,
        key: "str | Callable[[Record], str]" = "",
        appended: tuple[str, ...] = (),
        shared: tuple[str, ...] = (),
    ) -> None:
        self.name, self.fields, self.key = name, fields, key
        self.appended, self.shared = appended, shared


def texts(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Define a list of texts."""
    return Field(name, "text", many=True, since=since, sugar=sugar)


def text(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Define an optional text."""
    return Field(name, "text", since=since, sugar=sugar)


def required(name: str, *, until: int = _FOREVER) -> Field:
    """Define a text that Ignition always prints."""
    return Field(name, "text", plain=True, always=True, until=until)


def integer(name: str, since: int = 0) -> Field:
    """Define an optional number."""
    return Field(name, "integer", since=since)


def flag(name: str, since: int = 0, *, sugar: bool = False) -> Field:
    """Define an optional truth value."""
    return Field(name, "boolean", since=since, sugar=sugar)


def one(name: str, struct: Struct, since: int = 0, *, sugar: bool = False) -> Field:
    """Define a nested struct."""
    return Field(name, struct, plain=True, since=since, sugar=sugar)


def many(name: str, struct: Struct, since: int = 0, *, sugar: bool = False) -> Field:
    """Define a list of structs."""
    return Field(name, struct, many=True, since=since, sugar=sugar)


@functools.cache
def fields_of(struct: Struct, minor: int) -> tuple[Field, ...]:
    """List the fields that a struct has in one minor version."""
    return tuple(each for each in struct.fields if each.since <= minor <= each.until)


@functools.cache
def field_named(struct: Struct, minor: int, name: str) -> Field | None:
    """Find a field by its Butane name."""
    return next((each for each in fields_of(struct, minor) if each.name == name), None)


@functools.cache
def camel(name: str) -> str:
    """Turn a Butane name into an Ignition name."""
    if name.endswith("_mib"):
        name = name.removesuffix("mib") + "MiB"
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


@dataclass(slots=True)
class Record:
    """The values of one struct, by Butane name; unset ones are absent."""

    struct: Struct
    values: "dict[str, Value]" = field(default_factory=dict, repr=False)

    def put(self, wanted: Field, value: "Value | None") -> None:
        """Set a field, or unset it: by None, or by what an unset plain field equals."""
        if value is None or (wanted.plain and value in _EMPTY):
            self.values.pop(wanted.name, None)
        else:
            self.values[wanted.name] = value

    def sort(self, minor: int) -> None:
        """Bring the values into the order of the schema."""
        names = [each.name for each in fields_of(self.struct, minor)]
        self.values = {name: self.values[name] for name in names if name in self.values}

    def text(self, name: str) -> str:
        """Read a text; empty when unset."""
        return self.optional(name) or ""

    def optional(self, name: str) -> str | None:
        """Read a text; None when unset."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """Read a number; None when unset."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def is_true(self, name: str) -> bool:
        """Check whether a flag is set to true."""
        return self.values.get(name) is True

    def is_false(self, name: str) -> bool:
        """Check whether a flag is set to false."""
        return self.values.get(name) is False

    def has(self, name: str) -> bool:
        """Check whether a value is set at all."""
        return name in self.values

    def record(self, name: str) -> "Record":
        """Read a nested record; an empty one when unset."""
        value = self.values.get(name)
        return value if isinstance(value, Record) else Record(NOTHING)

    def records(self, name: str) -> "list[Record]":
        """Read a list of records; empty when unset."""
        return [each for each in self.items(name) if isinstance(each, Record)]

    def texts(self, name: str) -> list[str]:
        """Read a list of texts; empty when unset."""
        return [each for each in self.items(name) if isinstance(each, str)]

    def items(self, name: str) -> "list[str | Record]":
        """Read a list; empty when unset."""
        value = self.values.get(name)
        return list(value) if isinstance(value, list) else []


Value: TypeAlias = str | int | bool | Record | list[str] | list[Record]
Path: TypeAlias = tuple[str | int, ...]

NOTHING = Struct("Nothing")


def is_zero(value: Value | None) -> bool:
    """Check whether a record or list is empty; a scalar that is set is not."""
    if isinstance(value, Record):
        return all(is_zero(each) for each in value.values.values())
    return value is None or value == []


def item_key(item: str | Record) -> str:
    """Name a list item among its siblings."""
    if isinstance(item, str):
        return item
    key = item.struct.key
    return item.text(key) if isinstance(key, str) else key(item)


def walk_records(value: Record, path: Path) -> Iterator[tuple[Record, Path]]:
    """Visit a record and all records in it, outside first."""
    yield value, path
    for name, child in value.values.items():
        if isinstance(child, Record):
            yield from walk_records(child, (*path, name))
        elif isinstance(child, list):
            for index, item in enumerate(child):
                if isinstance(item, Record):
                    yield from walk_records(item, (*path, name, index))
