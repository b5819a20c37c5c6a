"""Join several Butane files into one: the machine, its app, and the operator's overlays.

The files are joined as YAML nodes, so that every scalar keeps the text its author wrote (a mode
stays 0644), and every node the file and line it is from. Mappings are joined key by key; a list's
items are joined by the key that names them in Ignition (path, name, device), later files over
earlier ones; other lists are appended.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from butane.errors import ButaneError
from butane.translate.yaml_node import Node, read_document
from butane.translate.yaml_text import to_text

_NAMES = ("path", "name", "device")
# Where a file's content comes from: a later file replaces all three.
_ORIGINS = ("inline", "local", "source")
_TEXTS = {"contents": "contents_local", "contents_local": "contents"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """A Butane text to join, and the name to show in errors.

    `lines` has the line of that file which each line of the text is from; empty: the same.
    """

    name: str
    text: str = field(repr=False)
    lines: tuple[int, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Assembled:
    """Butane files joined into one, as a text and as nodes that know their own file and line."""

    text: str = field(repr=False)
    root: Node = field(repr=False)


def assemble(fragments: Iterable[Fragment]) -> Assembled:
    """Join Butane texts in their order.

    Raises:
        ButaneError: with file and line, for what is not a Butane file of variant fcos.
    """
    fragments = tuple(fragments)
    nodes = [_read(one) for one in fragments]
    whole = nodes[0]
    for node in nodes[1:]:
        whole = _join_mappings(whole, node)
    newest = max(nodes, key=_version)
    whole = _with_version(whole, _get(newest, "version"))
    names = ", ".join(one.name for one in fragments)
    header = f"# Assembled by corefab from {names}; edits here are lost.\n"
    return Assembled(header + to_text(whole), whole)


def _read(fragment: Fragment) -> Node:
    name = fragment.name
    node = read_document(fragment.text, name, fragment.lines)
    if node.kind != "mapping" or _scalar(node, "variant") != "fcos":
        raise ButaneError(
            f"{name}:1: not a Butane file of variant fcos",
            "start it with `variant: fcos` and a `version:` such as 1.4.0",
        )
    if not _version(node):
        raise ButaneError(f"{name}:1: no version such as 1.4.0", "add a `version:` line")
    _check_keys(name, node, set())
    return node


def _check_keys(name: str, node: Node, done: set[int]) -> None:
    node = _real(node)
    if id(node) in done or node.kind == "scalar":
        return
    done.add(id(node))
    if node.kind != "mapping":
        for item in node.items:
            _check_keys(name, item, done)
        return
    found: set[str] = set()
    for key, value in node.pairs():
        where, text = f"{name}:{key.line}", _real(key).text
        if _real(key).kind != "scalar":
            raise ButaneError(f"{where}: a key must be a plain scalar", "correct the YAML")
        if text in found:
            raise ButaneError(f"{where}: duplicate key {text}", "merge the two entries")
        found.add(text)
        _check_keys(name, value, done)


def _real(node: Node) -> Node:
    """Follow an alias."""
    return node.target or node


def _key(node: Node) -> str:
    return _real(node).text


def _get(node: Node, key: str) -> Node | None:
    return next((_real(value) for name, value in node.pairs() if _key(name) == key), None)


def _scalar(node: Node, key: str) -> str:
    found = _get(node, key)
    return found.text if found and found.kind == "scalar" else ""


def _version(node: Node) -> tuple[int, ...]:
    parts = _scalar(node, "version").split(".")
    plain = len(parts) == 3 and all(part.isdecimal() for part in parts)  # noqa: PLR2004 -- x.y.z
    return tuple(int(part) for part in parts) if plain else ()


def _with_version(node: Node, version: Node | None) -> Node:
    pairs = [
        (key, version if version and _key(key) == "version" else value)
        for key, value in node.pairs()
    ]
    return _mapping(node, pairs)


def _mapping(like: Node, pairs: Iterable[tuple[Node, Node]]) -> Node:
    return replace(like, items=[part for pair in pairs for part in pair])


def _join(old: Node, new: Node) -> Node:
    one, other = _real(old), _real(new)
    if one.kind == other.kind == "mapping":
        replaced = any(_key(key) in _ORIGINS for key, _ in other.pairs())
        return new if replaced else _join_mappings(one, other)
    if one.kind == other.kind == "sequence":
        return _join_lists(one, other)
    return new


def _join_mappings(old: Node, new: Node) -> Node:
    later = {_key(key): (key, value) for key, value in new.pairs()}
    pairs = []
    for key, value in old.pairs():
        if _TEXTS.get(_key(key)) in later:
            continue
        other = later.pop(_key(key), None)
        # Errors in a value that was replaced are those of the later file, as is its key.
        pairs.append((other[0] if other else key, _join(value, other[1]) if other else value))
    pairs += later.values()
    return _mapping(old, pairs)


def _join_lists(old: Node, new: Node) -> Node:
    items = list(old.items)
    places = {_name(item): place for place, item in enumerate(items) if _name(item)}
    for item in new.items:
        place = places.get(_name(item))
        if place is None:
            items.append(item)
        else:
            items[place] = _join(items[place], item)
    return replace(old, items=items)


def _name(item: Node) -> str:
    item = _real(item)
    if item.kind != "mapping":
        return ""
    return next((found for key in _NAMES if (found := _scalar(item, key))), "")
