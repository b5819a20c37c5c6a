"""Quadlets: `systemd.quadlets`, of the experimental version."""

from dataclasses import dataclass

from butane.errors import ButaneError
from butane.translate.lower import Lowering, resource_of
from butane.translate.path_check import clean
from butane.translate.record import Path, Record, Value
from butane.translate.storage_node import StorageNodes

_ROOTFUL = "/etc/containers/systemd"
_ROOTLESS = "/etc/containers/systemd/users"


def add_quadlets(source: Record, config: Record, at: Lowering) -> None:
    """Add the files of all quadlets, and links for instances of templates."""
    quadlets = source.record("systemd").records("quadlets")
    if not quadlets:
        return
    at.sources.add(("systemd", "quadlets"), ("storage",))
    state = _Quadlets(StorageNodes(config, at.sources), at)
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
        path = clean(f"{folder}/{quadlet.text('name')}")
        self._node(path, quadlet, origin, template_of(quadlet.text("name")))
        for index, dropin in enumerate(quadlet.records("dropins")):
            self._node(f"{path}.d/{dropin.text('name')}", dropin, (*origin, "dropins", index))

    def _node(self, path: str, source: Record, origin: Path, target: str = "") -> None:
        """Add a link to a target, or else a file."""
        try:
            self.nodes.refuse(path)
        except ButaneError as error:
            self.at.findings.error(origin, error.message)
            return
        kind = "links" if target else "files"
        whence = (*origin, "contents_local" if source.text("contents_local") else "contents")
        values: dict[str, Value] = {"target": target}
        if not target:
            values = {"contents": resource_of(self._contents(source, whence)), "mode": 0o644}
        index, _ = self.nodes.add(kind, path, values, origin)
        place = ("storage", kind, index)
        self.at.sources.add((*origin, "name"), (*place, "path"))
        if not target:
            self.at.sources.add(whence, (*place, "contents"))
            self.at.sources.add(whence, (*place, "contents", "source"))

    def _contents(self, source: Record, whence: Path) -> bytes:
        if local := source.text("contents_local"):
            return self.at.read(local, whence) or b""
        return source.text("contents").encode("utf-8", "surrogateescape")
