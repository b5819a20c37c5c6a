"""List what a config puts on a machine: `python -m butane explain FILE`."""

import argparse
import sys
from itertools import groupby
from pathlib import Path

from butane.items import Item, Items, read_items
from butane.source_text import read_source

_TITLES = {
    "user": "Users",
    "group": "Groups",
    "file": "Files",
    "directory": "Directories",
    "link": "Links",
    "unit": "Units",
    "drop-in": "Drop-ins",
    "disk": "Disks",
    "partition": "Partitions",
    "filesystem": "Filesystems",
    "array": "Arrays",
    "encrypted volume": "Encrypted volumes",
    "kernel argument": "Kernel arguments",
    "merged config": "Configs merged from elsewhere",
    "replacing config": "The config that replaces this one",
    "certificate authority": "Certificate authorities",
    "proxy": "Proxy",
    "timeouts": "Timeouts",
}
_HIDDEN = ("password_hash",)
_WIDEST = 48


def run(arguments: list[str]) -> int:
    """Print the items of a config."""
    parser = argparse.ArgumentParser(
        prog="python -m butane explain", description="Show what a machine gets."
    )
    parser.add_argument("file", help="an Ignition or a Butane file")
    parser.add_argument("-d", "--files-dir", type=Path, help="local files of a Butane file")
    parser.add_argument(
        "-n", "--lines", type=int, default=0, help="show the first lines of texts, this many"
    )
    options = parser.parse_args(arguments)
    text = read_source(options.file)
    machine = read_items(text, files=options.files_dir, name=options.file)
    sys.stdout.write(explain(machine, lines=options.lines))
    return 0


def explain(machine: Items, *, lines: int = 0) -> str:
    """Describe the items, grouped by kind; `lines` is how many lines of each text to show."""
    ordered = sorted(machine.items, key=lambda item: list(_TITLES).index(item.kind))
    parts = [f"Ignition {machine.version}\n"]
    for kind, group in groupby(ordered, key=lambda item: item.kind):
        items = list(group)
        width = min(max(len(item.name) for item in items), _WIDEST)
        shown = "".join(_describe(item, width, lines) for item in items)
        parts.append(f"{_TITLES[kind]} ({len(items)})\n{shown}")
    return "\n".join(parts)


def _describe(item: Item, width: int, lines: int) -> str:
    facts = [
        f"{name.replace('_', ' ')} {'set' if name in _HIDDEN else value}"
        for name, value in item.facts
    ]
    if item.content is not None:
        kind = "binary" if item.text is None else "text"
        facts.append(f"{len(item.content)} bytes of {kind}")
    line = f"  {item.name:<{width}}  {'; '.join(facts)}".rstrip()
    head = (item.text or "").splitlines()[:lines]
    return "\n".join([line, *(f"    | {each}" for each in head), ""])
