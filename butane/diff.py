"""Compare two configs: `python -m butane diff OLD NEW`."""

import argparse
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from butane.items import Item, Items, read_items
from butane.source_text import read_source

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_HIDDEN = ("password_hash",)


@dataclass(frozen=True, slots=True)
class Change:
    """One item that is added, removed or changed, and how."""

    sign: Literal["added", "removed", "changed"]
    kind: str
    name: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format it as one line."""
        what = f"{_SIGNS[self.sign]} {self.kind} {self.name}".rstrip()
        return f"{what}: {'; '.join(self.details)}" if self.details else what


def run(arguments: list[str]) -> int:
    """Print the changes; return 1 when there are any, as `diff` does."""
    parser = argparse.ArgumentParser(
        prog="python -m butane diff", description="Show what changes on the machine."
    )
    parser.add_argument("old", help="an Ignition or a Butane file")
    parser.add_argument("new", help="an Ignition or a Butane file")
    parser.add_argument("-d", "--files-dir", type=Path, help="local files of the Butane files")
    options = parser.parse_args(arguments)
    old, new = (
        read_items(read_source(path), files=options.files_dir, name=path)
        for path in (options.old, options.new)
    )
    changes = diff(old, new)
    sys.stdout.write("".join(f"{change}\n" for change in changes))
    return 1 if changes else 0


def diff(old: Items, new: Items) -> tuple[Change, ...]:
    """List the changes: added and changed items in the new config's order, then removed ones."""
    before = {(item.kind, item.name): item for item in old.items}
    after = {(item.kind, item.name): item for item in new.items}
    changes = [_change(before.get(key), item) for key, item in after.items()]
    lost = [Change("removed", *key) for key in before if key not in after]
    return (*(change for change in changes if change), *lost)


def _change(old: Item | None, new: Item) -> Change | None:
    if old is None:
        return Change("added", new.kind, new.name)
    if old == new:
        return None
    secret = ["key file"] if old.secret != new.secret else []
    details = [*_facts(old, new), *_content(old, new), *secret]
    return Change("changed", new.kind, new.name, tuple(details))


def _facts(old: Item, new: Item) -> list[str]:
    before, after = _gather(old), _gather(new)
    details = []
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name, "unset"), after.get(name, "unset")
        if was != now:
            words = name.replace("_", " ")
            details.append(words if name in _HIDDEN else f"{words} {was} -> {now}")
    return details


def _gather(item: Item) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in item.facts:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _content(old: Item, new: Item) -> list[str]:
    if old.content == new.content:
        return []
    return [f"content {_describe(old.content)} -> {_describe(new.content)}"]


def _describe(content: bytes | None) -> str:
    if content is None:
        return "none"
    return f"{len(content)} bytes ({hashlib.sha256(content).hexdigest()[:12]})"
