"""Write YAML nodes as text, each scalar in the style its author chose."""

from collections.abc import Iterator

import yaml

from butane.translate.yaml_node import Node

_PREFIX = "tag:yaml.org,2002:"
_WIDTH = 1000


def to_text(root: Node) -> str:
    """Write a document; mappings and lists are in block style."""
    text = yaml.emit(_document(root), allow_unicode=True, width=_WIDTH)
    return str(text)


def _document(root: Node) -> Iterator[yaml.Event]:
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _Writer(_repeated(root)).node(root)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _repeated(root: Node) -> dict[int, str]:
    """Give an anchor to each node that occurs more than once."""
    seen: set[int] = set()
    anchors: dict[int, str] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node = node.target or node
        if id(node) in seen:
            anchors.setdefault(id(node), f"id{len(anchors) + 1:03}")
            continue
        seen.add(id(node))
        waiting += node.items
    return anchors


class _Writer:
    """Writes nodes; a node that was written before becomes an alias."""

    def __init__(self, anchors: dict[int, str]) -> None:
        self._anchors = anchors
        self._written: set[int] = set()

    def node(self, node: Node) -> Iterator[yaml.Event]:
        node = node.target or node
        anchor = self._anchors.get(id(node))
        if id(node) in self._written:
            yield yaml.AliasEvent(anchor)
            return
        if anchor:
            self._written.add(id(node))
        tag = _PREFIX + node.tag[2:] if node.tag.startswith("!!") else node.tag or None
        if node.kind == "scalar":
            implicit = (tag is None and not node.quoted, tag is None and node.quoted)
            yield yaml.ScalarEvent(anchor, tag, implicit, node.text, style=node.style or None)
            return
        start, end = _EVENTS[node.kind]
        yield start(anchor, tag, tag is None, flow_style=False)
        for item in node.items:
            yield from self.node(item)
        yield end()


_EVENTS = {
    "mapping": (yaml.MappingStartEvent, yaml.MappingEndEvent),
    "sequence": (yaml.SequenceStartEvent, yaml.SequenceEndEvent),
}
