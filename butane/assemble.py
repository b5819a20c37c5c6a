"""Join several Butane files into one: the machine, its app, and the operator's overlays.

The files are joined as YAML nodes, so that every scalar keeps the text its author wrote (a mode
stays 0644). Mappings are joined key by key; a list's items are joined by the key that names them
in Ignition (path, name, device), later files over earlier ones; other lists are appended.
"""

from collections.abc import Mapping

import yaml

from butane.errors import ButaneError

_NAMES = ("path", "name", "device")
# Where a file's content comes from: a later file replaces all three.
_ORIGINS = ("inline", "local", "source")
_TEXTS = {"contents": "contents_local", "contents_local": "contents"}


def assemble(files: Mapping[str, str]) -> str:
    """Join Butane texts, given by the name to show in errors, in their order.

    Raises:
        ButaneError: with file and line, for what is not a Butane file of variant fcos.
    """
    nodes = [_read(name, text) for name, text in files.items()]
    whole = nodes[0]
    for node in nodes[1:]:
        whole = _join_mappings(whole, node)
    _set_version(whole, max(_version(node) for node in nodes))
    header = f"# Assembled by corefab from {', '.join(files)}; edits here are lost.\n"
    return header + yaml.serialize(whole, allow_unicode=True, width=1000)


def _read(name: str, text: str) -> yaml.MappingNode:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ButaneError(f"{name}:{line}: {error.problem}", "correct the YAML") from error
    except yaml.YAMLError as error:
        raise ButaneError(f"{name}: {error}", "correct the YAML") from error
    if not isinstance(node, yaml.MappingNode) or _scalar(node, "variant") != "fcos":
        raise ButaneError(
            f"{name}:1: not a Butane file of variant fcos",
            "start it with `variant: fcos` and a `version:` such as 1.4.0",
        )
    if not _version(node):
        raise ButaneError(f"{name}:1: no version such as 1.4.0", "add a `version:` line")
    _check_keys(name, node, set())
    return node


def _check_keys(name: str, node: yaml.Node, done: set[int]) -> None:
    if id(node) in done or not isinstance(node, yaml.CollectionNode):
        return
    done.add(id(node))
    if not isinstance(node, yaml.MappingNode):
        for item in node.value:
            _check_keys(name, item, done)
        return
    found: set[str] = set()
    for key, value in node.value:
        where = f"{name}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise ButaneError(f"{where}: a key must be a plain scalar", "correct the YAML")
        if key.value in found:
            raise ButaneError(f"{where}: duplicate key {key.value}", "merge the two entries")
        found.add(key.value)
        _check_keys(name, value, done)


def _scalar(node: yaml.MappingNode, key: str) -> str:
    found = _get(node, key)
    return found.value if isinstance(found, yaml.ScalarNode) else ""


def _get(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _version(node: yaml.MappingNode) -> tuple[int, ...]:
    parts = _scalar(node, "version").split(".")
    plain = len(parts) == 3 and all(part.isdecimal() for part in parts)  # noqa: PLR2004 -- x.y.z
    return tuple(int(part) for part in parts) if plain else ()


def _set_version(node: yaml.MappingNode, version: tuple[int, ...]) -> None:
    found = _get(node, "version")
    if isinstance(found, yaml.ScalarNode):
        found.value = ".".join(str(part) for part in version)


def _join(old: yaml.Node, new: yaml.Node) -> yaml.Node:
    if isinstance(old, yaml.MappingNode) and isinstance(new, yaml.MappingNode):
        replaced = any(key.value in _ORIGINS for key, _ in new.value)
        return new if replaced else _join_mappings(old, new)
    if isinstance(old, yaml.SequenceNode) and isinstance(new, yaml.SequenceNode):
        return _join_lists(old, new)
    return new


def _join_mappings(old: yaml.MappingNode, new: yaml.MappingNode) -> yaml.MappingNode:
    later = {key.value: value for key, value in new.value}
    pairs = [
        (key, _join(value, later.pop(key.value)) if key.value in later else value)
        for key, value in old.value
        if _TEXTS.get(key.value) not in later
    ]
    pairs += [(key, value) for key, value in new.value if key.value in later]
    return yaml.MappingNode(old.tag, pairs, flow_style=False)


def _join_lists(old: yaml.SequenceNode, new: yaml.SequenceNode) -> yaml.SequenceNode:
    items = list(old.value)
    places = {_name(item): place for place, item in enumerate(items) if _name(item)}
    for item in new.value:
        place = places.get(_name(item))
        if place is None:
            items.append(item)
        else:
            items[place] = _join(items[place], item)
    return yaml.SequenceNode(old.tag, items, flow_style=old.flow_style)


def _name(item: yaml.Node) -> str:
    if not isinstance(item, yaml.MappingNode):
        return ""
    return next((found for key in _NAMES if (found := _scalar(item, key))), "")
