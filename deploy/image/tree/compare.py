"""Compare the file tree of an image as built with the one on a node."""

from collections.abc import Iterator, Mapping

from deploy.image.tree.entries import Entry, nanoseconds
from deploy.image.tree.tree import ROOT, Node, Tree, hard_links

_KINDS = {
    "f": "a file", "d": "a folder", "l": "a symbolic link",
    "p": "a fifo", "c": "a character device", "b": "a block device",
}  # fmt: skip
# SELinux labels are set by the node, not by the image.
_OF_THE_NODE = "security.selinux"


def compare(built: Tree, on_node: Tree) -> Iterator[str]:
    """Yield a line for each difference.

    Not compared are the times of the root and of folders that no layer names: these are set when
    the node unpacks the image. What layers say of the root is not compared either: podman's root
    is the same for every image.
    """
    groups, linked = hard_links(built), hard_links(on_node)
    root = {"": Node(ROOT, 0, 0)}
    wanted, found = {**built, **root}, {**root, **on_node}
    for path in sorted(wanted.keys() | found.keys()):
        shown = _shown(path)
        if path not in found:
            yield f"{shown}: {_KINDS[wanted[path].entry.kind]}, is missing"
        elif path not in wanted:
            yield f"{shown}: {_KINDS[found[path].entry.kind]}, is not in the image"
        else:
            one, other = wanted[path].entry, found[path].entry
            for difference in _differences(path, one, other):
                yield f"{shown}: {difference}"
            if one.kind == other.kind and groups.get(path) != linked.get(path):
                yield f"{shown}: {_linked(linked.get(path))}, not {_linked(groups.get(path))}"


def _differences(path: str, built: Entry, on_node: Entry) -> Iterator[str]:
    if on_node.kind != built.kind:
        yield f"is {_KINDS[on_node.kind]}, not {_KINDS[built.kind]}"
        return
    if on_node.sha256 != built.sha256:
        yield f"content {on_node.sha256[:12] or 'unread'}, not {built.sha256[:12]}"
    if built.kind != "l" and on_node.mode != built.mode:
        yield f"mode {on_node.mode:04o}, not {built.mode:04o}"
    if (on_node.uid, on_node.gid) != (built.uid, built.gid):
        yield f"owner {on_node.uid}:{on_node.gid}, not {built.uid}:{built.gid}"
    if on_node.link != built.link:
        yield f"link target {on_node.link!r}, not {built.link!r}"
    if on_node.device != built.device:
        yield f"device {on_node.device}, not {built.device}"
    if path and built.mtime and nanoseconds(on_node.mtime) != _unpacked(built):
        yield f"time {on_node.mtime}, not {built.mtime}"
    yield from _attributes(dict(built.xattrs), dict(on_node.xattrs))


def _unpacked(built: Entry) -> int:
    """Return a time as podman unpacks it: times before 1970 become 1970, except for links."""
    time = nanoseconds(built.mtime) or 0
    return time if built.kind == "l" else max(time, 0)


def _attributes(built: Mapping[str, str], on_node: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(built.keys() | on_node.keys()):
        if name != _OF_THE_NODE and built.get(name) != on_node.get(name):
            yield f"attribute {name} {_value(on_node.get(name))}, not {_value(built.get(name))}"


def _value(text: str | None) -> str:
    return "absent" if text is None else repr(text)


def _linked(group: tuple[str, ...] | None) -> str:
    return f"one file with {', '.join(map(_shown, group))}" if group else "without hard links"


def _shown(path: str) -> str:
    """Format a path of any bytes on one line."""
    return f"/{path}" if path.isprintable() else repr(f"/{path}")[1:-1]
