"""All fields of the schema table in words, for the documentation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from butane.translate.record import Struct
from butane.translate.schema import CONFIG
from butane.translate.versions import VERSIONS

_NEWEST = len(VERSIONS) - 1
_TYPES = {"text": "text", "integer": "number", "boolean": "yes or no"}


@dataclass(frozen=True, slots=True)
class Row:
    """A field by its whole path, and the first and last version that has it."""

    path: str
    kind: str
    first: int
    last: int
    sugar: bool


def field_table() -> str:
    """Write a Markdown table of every field, its type, and the versions that have it."""
    rows: dict[str, Row] = {}
    for row in _rows(CONFIG, Row("", "", 0, _NEWEST, sugar=False)):
        known = rows.get(row.path, row)
        first, last = min(known.first, row.first), max(known.last, row.last)
        rows[row.path] = replace(row, first=first, last=last)
    lines = ["| field | type | versions |", "| --- | --- | --- |", *map(_line, rows.values())]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    mark = " *" if row.sugar else ""
    return f"| `{row.path}`{mark} | {row.kind} | {_versions(row)} |"


def _rows(struct: Struct, above: Row) -> Iterator[Row]:
    names = list(dict.fromkeys(each.name for each in struct.fields))
    for each in sorted(struct.fields, key=lambda each: names.index(each.name)):
        first, last = max(above.first, each.since), min(above.last, each.until)
        if first > last:
            continue
        path = f"{above.path}.{each.name}".lstrip(".") + ("[]" if each.many else "")
        kind = "section" if isinstance(each.type, Struct) else _TYPES[each.type]
        row = Row(path, kind, first, last, sugar=above.sugar or each.sugar)
        yield row
        if isinstance(each.type, Struct):
            yield from _rows(each.type, row)


def _versions(row: Row) -> str:
    if row.last == _NEWEST:
        return "all" if row.first == 0 else f"from {VERSIONS[row.first]}"
    return f"{VERSIONS[row.first]} to {VERSIONS[row.last]}"
