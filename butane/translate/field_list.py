"""All fields of the schema table in words, for the documentation."""

from collections.abc import Iterator

from butane.translate.record import Field, Struct
from butane.translate.schema import CONFIG
from butane.translate.versions import VERSIONS

_NEWEST = len(VERSIONS) - 1
_TYPES = {"text": "text", "integer": "number", "boolean": "yes or no"}


def field_table() -> str:
    """Write a Markdown table of every field, its type, and the versions that have it."""
    rows = ["| field | type | versions |", "| --- | --- | --- |"]
    seen: dict[str, tuple[str, int, int, bool]] = {}
    for path, each, since, until in _all(CONFIG, "", 0, _NEWEST):
        kind = _type(each)
        known = seen.get(path)
        first, last = (min(known[1], since), max(known[2], until)) if known else (since, until)
        seen[path] = (kind, first, last, each.sugar)
    for path, (kind, first, last, sugar) in seen.items():
        mark = " *" if sugar else ""
        rows.append(f"| `{path}`{mark} | {kind} | {_versions(first, last)} |")
    return "\n".join(rows) + "\n"


def _all(
    struct: Struct, above: str, since: int, until: int
) -> Iterator[tuple[str, Field, int, int]]:
    names = dict.fromkeys(each.name for each in struct.fields)
    for name in names:
        for each in [each for each in struct.fields if each.name == name]:
            first, last = max(since, each.since), min(until, each.until)
            if first > last:
                continue
            path = f"{above}{name}{'[]' if each.many else ''}"
            yield path, each, first, last
            if isinstance(each.type, Struct):
                yield from _all(each.type, f"{path}.", first, last)


def _type(each: Field) -> str:
    return "section" if isinstance(each.type, Struct) else _TYPES[each.type]


def _versions(first: int, last: int) -> str:
    if last == _NEWEST:
        return "all" if first == 0 else f"from {VERSIONS[first]}"
    return f"{VERSIONS[first]} to {VERSIONS[last]}"
