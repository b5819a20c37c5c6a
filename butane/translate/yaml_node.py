"""A YAML document as nodes that keep their source text and their place.

Scalars stay as written, because Butane takes the source text of `1.50` where a text is wanted.
Only the first document of a stream is read, as go-yaml does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import yaml

from butane.errors import ButaneError

Kind: TypeAlias = Literal["scalar", "sequence", "mapping", "alias"]

TEXT_LIMIT = 16 * 1024 * 1024
_PREFIX = "tag:yaml.org,2002:"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True, eq=False)
class Node:
    """One node: kind, short tag, source text, whether quoted, line and column from 1."""

    kind: Kind
    line: int
    column: int
    tag: str = ""
    text: str = ""
    quoted: bool = False
    items: "list[Node]" = field(default_factory=list)
    target: "Node | None" = None

    def pairs(self) -> "Iterator[tuple[Node, Node]]":
        """List the keys and values of a mapping."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def child(self, name: str) -> "Node | None":
        """Find a mapping's value by the source text of its key; the last one wins."""
        found = None
        for key, value in self.pairs() if self.kind == "mapping" else ():
            if key.text == name:
                found = value
        return found


def read_document(source: str) -> Node:
    """Read the first document; raise `ButaneError` when the text is not YAML."""
    if len(source) > TEXT_LIMIT:
        raise ButaneError(f"the file is longer than {TEXT_LIMIT} characters", "split it up")
    try:
        return _Composer().compose(yaml.parse(source, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ButaneError(f"yaml: {where}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ButaneError(f"yaml: {error}".replace("\n", " ")) from error


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _short(tag: str | None) -> str:
    if not tag or tag == "!":
        return ""
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag


class _Composer:
    """Builds nodes from parser events, without recursion."""

    def __init__(self) -> None:
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._root: Node | None = None

    def compose(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            if isinstance(event, yaml.DocumentEndEvent):
                break
            self._take(event)
        return self._root or Node("scalar", 1, 1)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            quoted = bool(event.style)
            node = Node("scalar", *_place(event), _short(event.tag), event.value, quoted=quoted)
            self._attach(node, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            node = Node(kind, *_place(event), _short(event.tag))
            self._attach(node, event.anchor)
            self._open.append(node)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._attach(self._alias(event), None)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            raise ButaneError(f"yaml: unknown anchor '{name}' referenced")
        return Node("alias", *_place(event), text=name, target=self._anchors[name])

    def _attach(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        elif self._root is None:
            self._root = node
