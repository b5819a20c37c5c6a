"""Parse the answer of verify-image: the file tree of an image on the node."""

import base64
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.image.tree.index import Index, scan
from deploy.image.tree.tree import Tree, flatten
from deploy.image.wire import zstd
from deploy.node.answer import reading

# Headers of an entry with a time and attributes, and the hash of its content.
_ENTRY_BYTES = 4096
_SPARE_BYTES = 1_000_000
_HINT = "compare the node with its console; `fab image-send` sends the image again"


@dataclass(frozen=True, slots=True)
class NodeTree:
    """A file tree without content, and the SHA-256 of each file's content."""

    tree: Tree
    sums: dict[str, str]


def tar_bytes(tree: Tree) -> int:
    """Compute the most bytes that verify-image answers for a tree like this."""
    entries = (node.entry for node in tree.nodes.values())
    texts = (
        (one.path, one.link, *(word for pair in one.xattrs for word in pair)) for one in entries
    )
    return _SPARE_BYTES + sum(_ENTRY_BYTES + 4 * sum(map(len, words)) for words in texts)


def read_node_tree(answer: str, place: Path, most_bytes: int) -> NodeTree:
    """Parse the answer of verify-image; `place` is a temporary folder to unpack it in.

    Raises:
        DeployError: when it is incomplete or invalid, or unpacks to more than `most_bytes`.
    """
    plain = place / "answer.tar"
    with reading("the node's list of the image's files", _HINT):
        zstd.decompress(base64.b64decode(answer, validate=True), plain, most_bytes)
        with tarfile.open(plain, "r:") as tar:
            members = [tar.getmember(name) for name in ("tree.tar", "sums")]
            if not all(one.isreg() and not one.issparse() for one in members):
                raise ValueError("its parts are no plain files")
            tar.extractall(place, members, filter="data")
        entries = tuple(scan(place / "tree.tar"))
        if len({one.path for one in entries}) < len(entries):
            raise ValueError("it has a path twice")
        return NodeTree(
            flatten((Index("node", entries),)), dict(_sums((place / "sums").read_bytes()))
        )


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """Parse the output of `sha256sum -z`: hash, two characters, path, zero byte."""
    for line in text.split(b"\0")[:-1]:
        found, _, path = line.partition(b"  ")
        yield path.removeprefix(b"./").decode(errors="surrogateescape"), found.decode()
