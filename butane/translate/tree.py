"""Whole folders of local files: `storage.trees`."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

from butane.errors import ButaneError
from butane.translate.lower import Lowering, put_contents
from butane.translate.path_check import clean
from butane.translate.record import Path, Record, Value, is_zero
from butane.translate.schema_ignition import RESOURCE
from butane.translate.storage_node import NODE_EXISTS, StorageNodes

_OTHER_TYPE = "trees may only contain files, directories, and symlinks"


def add_trees(source: Record, config: Record, at: Lowering) -> None:
    """Add the contents of all trees to the config."""
    trees = source.record("storage").records("trees")
    nodes = StorageNodes(config, at.sources)
    for index, tree in enumerate(trees):
        origin: Path = ("storage", "trees", index)
        try:
            _Tree(tree, origin, nodes, at).add(at.files.folder(tree.text("local")))
        except ButaneError as error:
            at.findings.error(origin, error.message)
            if at.files.root is None:
                return


@dataclass(frozen=True, slots=True)
class _Tree:
    tree: Record
    origin: Path
    nodes: StorageNodes
    at: Lowering

    def add(self, root: FilePath) -> None:
        """Add everything below a folder, and the folder itself where it has an owner or mode."""
        base = self.tree.text("path") or "/"
        for path, status in self._walk(root):
            relative = os.path.relpath(path, root)
            try:
                self._node(path, status, clean(f"{base}/{relative}"))
            except ButaneError as error:
                self.at.findings.error(self.origin, error.message)
            except OSError as error:
                self.at.findings.error(self.origin, f"{relative}: {error.strerror}".lower())

    def _walk(self, root: FilePath) -> Iterator[tuple[FilePath, os.stat_result]]:
        """Visit a folder in the order of names; links are not followed."""
        waiting = [root]
        while waiting:
            path = waiting.pop()
            try:
                status = path.lstat()
                names = os.listdir(path) if stat.S_ISDIR(status.st_mode) else []  # noqa: PTH208
            except OSError as error:
                self.at.findings.error(self.origin, f"open {path.name}: {error.strerror}".lower())
                continue
            waiting += [path / name for name in sorted(names, key=os.fsencode, reverse=True)]
            yield path, status

    def _node(self, path: FilePath, status: os.stat_result, to: str) -> None:
        if stat.S_ISDIR(status.st_mode):
            self._directory(to)
        elif stat.S_ISREG(status.st_mode):
            self._file(path, status, to)
        elif stat.S_ISLNK(status.st_mode):
            self._link(path, to)
        else:
            raise ButaneError(_OTHER_TYPE)

    def _directory(self, to: str) -> None:
        mode = self.tree.number("dir_mode")
        if mode is None and all(is_zero(self.tree.record(name)) for name in ("user", "group")):
            return
        self.nodes.refuse(to)
        values = self._owner() | {"mode": 0o755 if mode is None else mode}
        self.nodes.add("directories", to, values, self.origin)

    def _file(self, path: FilePath, status: os.stat_result, to: str) -> None:
        index, node = self._take("files", to)
        contents = node.record("contents")
        if contents.text("source"):
            raise ButaneError(NODE_EXISTS)
        filled = Record(RESOURCE, dict(contents.values))
        place = ("storage", "files", index)
        data = self.at.files.read_at(path)
        put_contents(data, filled, (*place, "contents"), self.origin, self.at)
        node.values["contents"] = filled
        self.at.sources.add(self.origin, (*place, "contents"))
        if not node.has("mode"):
            mode = self.tree.number("file_mode")
            usual = 0o755 if status.st_mode & 0o111 else 0o644
            node.values["mode"] = usual if mode is None else mode
            self.at.sources.add(self.origin, (*place, "mode"))

    def _link(self, path: FilePath, to: str) -> None:
        index, node = self._take("links", to)
        if node.text("target"):
            raise ButaneError(NODE_EXISTS)
        node.values["target"] = str(path.readlink())
        self.at.sources.add(self.origin, ("storage", "links", index, "target"))

    def _take(self, kind: str, to: str) -> tuple[int, Record]:
        """Find or add the node of a path; refuse a path that has a node of another kind."""
        if found := self.nodes.find(kind, to):
            return found
        self.nodes.refuse(to)
        return self.nodes.add(kind, to, self._owner(), self.origin)

    def _owner(self) -> dict[str, Value]:
        return {name: self.tree.values[name] for name in ("group", "user") if self.tree.has(name)}
