"""Quadlets: `systemd.quadlets`, of the experimental version."""

import posixpath
from dataclasses import dataclass

from butane.translate.data_url import pack
from butane.translate.lower import Lowering
from butane.translate.record import NOTHING, Path, Record
from butane.translate.schema_ignition import RESOURCE
from butane.translate.storage_node import NODE_EXISTS, StorageNodes

_ROOTFUL = "/etc/containers/systemd"
_ROOTLESS = "/etc/containers/systemd/users"
_NO_OWNER = Record(NOTHING)


def add_quadlets(source: Record, config: Record, at: Lowering) -> None:
    """Add the files of all quadlets, and links for instances of templates."""
    quadlets = source.record("systemd").records("quadlets")
    if not quadlets:
        return
    at.sources.add(("systemd", "quadlets"), ("storage",))
    state = _Quadlets(StorageNodes(config), at)
    for index, quadlet in enumerate(quadlets):
        state.add(quadlet, ("systemd", "quadlets", index))


def template_of(name: str) -> str:
    """Name the template of an instance: `a@.container` for `a@b.container`; else empty."""
    stem, at, _ = name.partition("@")
    if not at or "." not in name:
        return ""
    dot = name.rindex(".")
    return "" if dot == len(stem) + 1 else f"{stem}@.{name[dot + 1 :]}"


@dataclass(frozen=True, slots=True)
class _Quadlets:
    nodes: StorageNodes
    at: Lowering

    def add(self, quadlet: Record, origin: Path) -> None:
        """Add one quadlet and its drop-ins."""
        folder = _ROOTFUL if quadlet.is_true("rootful") else _ROOTLESS
        path = posixpath.normpath(f"{folder}/{quadlet.text('name')}")
        if template := template_of(quadlet.text("name")):
            self._link(path, template, origin)
        else:
            self._file(path, quadlet, origin)
        for index, dropin in enumerate(quadlet.records("dropins")):
            self._file(f"{path}.d/{dropin.text('name')}", dropin, (*origin, "dropins", index))

    def _link(self, path: str, template: str, origin: Path) -> None:
        if self.nodes.exists(path):
            self.at.findings.error(origin, NODE_EXISTS)
            return
        index, node = self.nodes.add("links", path, _NO_OWNER)
        node.values["target"] = template
        self._note("links", index, node, origin)

    def _file(self, path: str, source: Record, origin: Path) -> None:
        if self.nodes.exists(path):
            self.at.findings.error(origin, NODE_EXISTS)
            return
        index, node = self.nodes.add("files", path, _NO_OWNER)
        whence, data = self._contents(source, origin)
        packed = pack(data)
        contents = Record(RESOURCE, {"source": packed.url, "compression": packed.compression})
        node.values |= {"contents": contents, "mode": 0o644}
        self._note("files", index, node, origin)
        self.at.sources.add(whence, ("storage", "files", index, "contents"))
        self.at.sources.add(whence, ("storage", "files", index, "contents", "source"))

    def _contents(self, source: Record, origin: Path) -> tuple[Path, bytes]:
        if local := source.text("contents_local"):
            whence = (*origin, "contents_local")
            return whence, self.at.read(local, whence) or b""
        inline = source.text("contents")
        return (*origin, "contents"), inline.encode("utf-8", "surrogateescape")

    def _note(self, kind: str, index: int, node: Record, origin: Path) -> None:
        self.at.sources.add_all(origin, ("storage", kind, index), node)
        self.at.sources.add((*origin, "name"), ("storage", kind, index, "path"))
        if index == 0:
            self.at.sources.add(origin, ("storage", kind))
