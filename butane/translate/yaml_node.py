"""A YAML document as nodes that keep their source text and position.

Scalars stay as written, because Butane takes the source text of `1.50` where a text is wanted.
Only the first document of a stream is read, as go-yaml does.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import yaml

from butane.errors import ButaneError
from butane.translate.go_loader import GoLoader

Kind: TypeAlias = Literal["scalar", "sequence", "mapping", "alias"]

TEXT_LIMIT = 16 * 1024 * 1024
_SLOW_LIMIT = 1024 * 1024
_DIFFERENT = ("found unexpected ':'", "did not find expected whitespace or line break")
_TAG = re.compile(r"(?:&\S+\s+)?(!\S*)")
_PREFIX = "tag:yaml.org,2002:"
_AHEAD = 4  # go-yaml looks this far into what follows the first document
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True, eq=False)
class Node:
    """One node: kind, short tag, source text and its style, line and column from 1.

    The style is empty for plain text, else a quote or the sign of a block. `file` is empty unless
    the document is one of several that are joined.
    """

    kind: Kind
    line: int
    column: int
    tag: str = ""
    text: str = ""
    style: str = ""
    file: str = ""
    items: "list[Node]" = field(default_factory=list)
    target: "Node | None" = None

    @property
    def quoted(self) -> bool:
        """Whether it is text, whatever it looks like."""
        return bool(self.style)

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


def read_document(source: str, file: str = "", lines: Sequence[int] = ()) -> Node:
    """Read the first document; raise `ButaneError` when the text is not YAML.

    With `file`, errors and nodes name it, and there must be no other document; `lines` has the line
    of that file which each line of the text is from, where these differ.
    """
    if len(source) > TEXT_LIMIT:
        raise ButaneError(f"the file is longer than {TEXT_LIMIT} characters", "split it up")
    try:
        return _compose(source, _Place(file, lines))
    except yaml.MarkedYAMLError as error:
        if file:
            line = _Place(file, lines).line(error.problem_mark) or 1
            raise ButaneError(
                f"{file}:{line}: {error.problem or error.context}", "correct the YAML"
            ) from error
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ButaneError(f"yaml: {where}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        where = f"{file}: " if file else "yaml: "
        raise ButaneError(f"{where}{error}".replace("\n", " ")) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """The file that a text is from, and the line there of each line of the text."""

    file: str = ""
    lines: Sequence[int] = ()

    def line(self, mark: Any) -> int:
        if mark is None:
            return 0
        at = int(mark.line)
        return self.lines[at] if at < len(self.lines) else at + 1

    def unfit(self, event: yaml.Event, found: str) -> ButaneError:
        where = f"{self.file}:{self.line(event.start_mark)}" if self.file else "yaml"
        return ButaneError(f"{where}: {found}", "correct the YAML" if self.file else "")


def _compose(source: str, place: _Place) -> Node:
    """Read with libyaml; where it is known to differ, read again by go-yaml's rules."""
    try:
        root, differs = _read(source, _LOADER, place)
        if not differs:
            return root
    except yaml.MarkedYAMLError as error:
        if error.problem not in _DIFFERENT or len(source) > _SLOW_LIMIT:
            raise
    return _read(source, GoLoader, place)[0]


def _read(source: str, loader: Any, place: _Place) -> tuple[Node, bool]:
    """Read the document, and scan the first tokens behind it: go-yaml reports their errors too."""
    composer = _Composer(source, place)
    events = yaml.parse(source, Loader=loader)
    root = composer.compose(events)
    if place.file and isinstance(more := next(events, None), yaml.DocumentStartEvent):
        raise place.unfit(more, "a second document begins here, and a file has one")
    if source[composer.rest :].strip():
        tokens = yaml.scan(source, Loader=loader)
        beyond = (x for x in tokens if x.start_mark and x.start_mark.index >= composer.rest)
        for _ in itertools.islice(beyond, _AHEAD):
            pass
    return root, composer.differs


def _short(tag: str | None) -> str:
    if not tag or tag == "!":
        return ""
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag


class _Composer:
    """Builds nodes from parser events, without recursion."""

    def __init__(self, source: str, place: _Place) -> None:
        self._source = source
        self._place = place
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._root: Node | None = None
        self._flow = 0
        self.rest = 0
        self.differs = False

    def compose(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            if isinstance(event, yaml.DocumentEndEvent):
                self.rest = event.start_mark.index if event.start_mark else 0
                break
            self._take(event)
        return self._root or Node("scalar", 1, 1, file=self._place.file)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            if event.version not in (None, (1, 1)):
                raise self._place.unfit(event, "found incompatible YAML document")
        elif isinstance(event, yaml.ScalarEvent):
            self._notice(event)
            node = self._node("scalar", event, _short(event.tag), event.value)
            node.style = event.style or ""
            self._attach(node, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
            self._notice(event)
            node = self._node(kind, event, _short(event.tag))
            self._attach(node, event.anchor)
            self._open.append(node)
            self._flow += bool(self._flow or event.flow_style)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._flow -= bool(self._flow)
        elif isinstance(event, yaml.AliasEvent):
            self._attach(self._alias(event), None)

    def _notice(self, event: yaml.NodeEvent) -> None:
        """Detect what go-yaml reads differently in brackets: `a?b`, and a comma after a tag."""
        if not self._flow or event.start_mark is None:
            return
        if isinstance(event, yaml.ScalarEvent) and not event.style and "?" in event.value:
            self.differs = True
        if getattr(event, "tag", None):
            tag = _TAG.match(self._source, event.start_mark.index)
            self.differs |= bool(tag and any(each in tag[1] for each in ",[]"))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            raise self._place.unfit(event, f"unknown anchor '{name}' referenced")
        node = self._node("alias", event, text=name)
        node.target = self._anchors[name]
        return node

    def _node(self, kind: Kind, event: yaml.Event, tag: str = "", text: str = "") -> Node:
        mark = event.start_mark
        column = mark.column + 1 if mark else 0
        return Node(kind, self._place.line(mark), column, tag, text, file=self._place.file)

    def _attach(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        elif self._root is None:
            self._root = node
