"""Every difference between the tree of an image as built and as a node shows it."""

from collections.abc import Iterator, Mapping

from deploy.image.tree.entry import Entry, nanoseconds
from deploy.image.tree.tree import ROOT, Node, Tree

_KINDS = {
    "f": "a file", "d": "a folder", "l": "a symbolic link",
    "p": "a fifo", "c": "a character device", "b": "a block device",
}  # fmt: skip
# The node's own label, which says nothing of the image.
_OF_THE_NODE = "security.selinux"


def compare(built: Tree, seen: Tree, sums: Mapping[str, str]) -> Iterator[str]:
    """Say each difference, a line each; `sums` is the SHA-256 of each file's content there.

    The time of a folder that no layer names, and of the root, is that of unpacking: each node has
    another.
    """
    groups, linked = built.groups(), seen.groups()
    root = {"": Node(ROOT, "", 0)}
    wanted, found = root | dict(built.nodes), root | dict(seen.nodes)
    for path in sorted(wanted.keys() | found.keys()):
        shown = _shown(path)
        if path not in found:
            yield f"{shown}: {_KINDS[wanted[path].entry.kind]}, is missing"
        elif path not in wanted:
            yield f"{shown}: {_KINDS[found[path].entry.kind]}, is not in the image"
        else:
            one, other = wanted[path].entry, found[path].entry
            for difference in _differences(path, one, other, sums.get(path, "")):
                yield f"{shown}: {difference}"
            if one.kind == other.kind and groups.get(path) != linked.get(path):
                yield f"{shown}: {_linked(linked.get(path))}, not {_linked(groups.get(path))}"


def _differences(path: str, built: Entry, seen: Entry, content: str) -> Iterator[str]:
    if seen.kind != built.kind:
        yield f"is {_KINDS[seen.kind]}, not {_KINDS[built.kind]}"
        return
    if built.kind == "f" and content != built.sha256:
        yield f"content {content[:12] or 'unread'}, not {built.sha256[:12]}"
    if built.kind != "l" and seen.mode != built.mode:
        yield f"mode {seen.mode:04o}, not {built.mode:04o}"
    if (seen.uid, seen.gid) != (built.uid, built.gid):
        yield f"owner {seen.uid}:{seen.gid}, not {built.uid}:{built.gid}"
    if seen.link != built.link:
        yield f"leads to {seen.link!r}, not {built.link!r}"
    if seen.device != built.device:
        yield f"device {seen.device}, not {built.device}"
    if path and built.mtime and nanoseconds(seen.mtime) != _unpacked(built):
        yield f"time {seen.mtime}, not {built.mtime}"
    yield from _attributes(dict(built.xattrs), dict(seen.xattrs))


def _unpacked(built: Entry) -> int:
    """Read a time as unpacking leaves it: podman makes 1970 of what is before, but not of links."""
    time = nanoseconds(built.mtime) or 0
    return time if built.kind == "l" else max(time, 0)


def _attributes(built: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(built.keys() | seen.keys()):
        if name != _OF_THE_NODE and built.get(name) != seen.get(name):
            yield f"attribute {name} {_value(seen.get(name))}, not {_value(built.get(name))}"


def _value(text: str | None) -> str:
    return "absent" if text is None else repr(text)


def _linked(group: tuple[str, ...] | None) -> str:
    return f"one file with {', '.join(map(_shown, group))}" if group else "without hard links"


def _shown(path: str) -> str:
    """Write a path of any bytes on one line."""
    return f"/{path}" if path.isprintable() else repr(f"/{path}")[1:-1]
