"""Parse the answer of verify-image: the file tree of an image on the node."""

import base64
import binascii
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.image.tree.index import Index, scan
from deploy.image.tree.tree import Tree, flatten
from deploy.image.wire import zstd


@dataclass(frozen=True, slots=True)
class NodeTree:
    """A file tree without content, and the SHA-256 of each file's content."""

    tree: Tree
    sums: dict[str, str]


def read_node_tree(answer: str, place: Path) -> NodeTree:
    """Parse the answer of verify-image; `place` is a temporary folder to unpack it in.

    Raises:
        DeployError: when it is incomplete or invalid.
    """
    packed, plain = place / "answer.zst", place / "answer.tar"
    try:
        packed.write_bytes(base64.b64decode(answer, validate=True))
        with (
            packed.open("rb") as stream,
            plain.open("wb") as out,
            zstd.running(("zstd", "-dqc"), reads=stream, output=out),
        ):
            pass
        with tarfile.open(plain) as tar:
            tar.extractall(place, [tar.getmember("tree.tar"), tar.getmember("sums")], filter="data")
        layers = (Index("node", tuple(scan(place / "tree.tar"))),)
        sums = dict(_sums((place / "sums").read_bytes()))
    except (binascii.Error, tarfile.TarError, KeyError, ValueError) as error:
        raise DeployError(f"the node's answer cannot be read: {error}") from error
    return NodeTree(flatten(layers), sums)


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """Parse the output of `sha256sum -z`: hash, two characters, path, zero byte."""
    for line in text.split(b"\0")[:-1]:
        found, _, path = line.partition(b"  ")
        yield path.removeprefix(b"./").decode(errors="surrogateescape"), found.decode()
