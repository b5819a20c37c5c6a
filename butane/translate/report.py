"""Reports of errors and warnings, with their place and an excerpt of the source."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from butane.translate.finding import Finding, Kind
from butane.translate.record import Path
from butane.translate.yaml_node import Node

_AROUND = 2


@dataclass(frozen=True, slots=True)
class Report:
    """One message about a file; line and column count from 1, and are 0 without a place.

    `file` is empty unless the translated text was joined of several.
    """

    kind: Kind
    path: str
    line: int
    column: int
    message: str
    excerpt: str = ""
    file: str = ""

    def __str__(self) -> str:
        """Format it as one line."""
        places = [self.path] if self.path not in ("", "$") else []
        if self.line:
            places.append(f"line {self.line} col {self.column}")
        at = f" at {', '.join(places)}" if places else ""
        return f"{self.kind}{at}: {self.message}"


def make_reports(findings: Iterable[Finding], root: Node) -> tuple[Report, ...]:
    """Make reports of findings: locate each in the source."""
    reports = []
    for each in findings:
        node = _locate(root, each.path, at_key=each.at_key)
        path = render_path(each.path)
        found = Report(each.kind, path, node.line, node.column, each.message, file=node.file)
        reports.append(found)
    return tuple(reports)


def render_path(path: Path) -> str:
    """Format a path as `$.storage.files.0`."""
    return ".".join(("$", *map(str, path)))


def _locate(node: Node, path: Path, *, at_key: bool) -> Node:
    """Find the deepest node that the path reaches."""
    for depth, element in enumerate(path):
        if at_key and depth == len(path) - 1:
            keys = [key for key, _ in node.pairs() if key.text == element]
            return keys[-1] if keys else node
        found = _step(node, element)
        if found is None:
            break
        node = found
    return node


def _step(node: Node, element: str | int) -> Node | None:
    if isinstance(element, str):
        return node.child(element)
    if node.kind == "sequence" and element < len(node.items):
        return node.items[element]
    return None


def with_excerpt(report: Report, lines: list[str], name: str) -> Report:
    """Add the lines around a report's place, with carets under it and the message beside them."""
    line, column = report.line, report.column
    if not (1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1])):
        return report
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    width = len(str(last))
    blank = f" {' ' * width} |"
    shown = [f"  --> {name or '<stdin>'}:{line}:{column}", blank]
    for number in range(first, last + 1):
        shown.append(f" {number:>{width}} | {lines[number - 1]}")
        if number == line:
            word = re.split(r"\s", lines[line - 1][column - 1 :], maxsplit=1)[0]
            shown.append(f"{blank} {' ' * (column - 1)}{'^' * len(word)} {report.message}")
    return replace(report, excerpt="\n".join([*shown, blank]))
