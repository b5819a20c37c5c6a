"""Parse the answer of verify-image: the file tree of an image on the node."""

import base64
import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deploy.image.tree.entries import Entry, scan
from deploy.image.tree.tree import Tree, flatten
from deploy.image.wire import zstd
from deploy.node.answer import reading

# Headers of an entry with a time and attributes, and the hash of its content.
_ENTRY_BYTES = 4096
_SPARE_BYTES = 1_000_000
_HINT = "compare the node with its console; `fab image-send` sends the image again"


def tar_bytes(tree: Tree) -> int:
    """Compute the most bytes that verify-image answers for a tree like this."""
    entries = (node.entry for node in tree.values())
    texts = (
        (one.path, one.link, *(word for pair in one.xattrs for word in pair)) for one in entries
    )
    return _SPARE_BYTES + sum(_ENTRY_BYTES + 4 * sum(map(len, words)) for words in texts)


def read_node_tree(answer: str, place: Path, most_bytes: int) -> Tree:
    """Parse the answer of verify-image; `place` is a temporary folder to unpack it in.

    Raises:
        DeployError: when it is incomplete or invalid, or unpacks to more than `most_bytes`.
    """
    plain = place / "answer.tar"
    with reading("the node's list of the image's files", _HINT):
        with plain.open("wb") as out:
            zstd.unpack(io.BytesIO(base64.b64decode(answer, validate=True)), out, most_bytes)
        with tarfile.open(plain, "r:") as tar:
            for name in ("tree.tar", "sums"):
                # Python 3.11.2, in Debian 12, has no filter for extractall.
                member = tar.getmember(name)
                part = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if part is None:
                    raise ValueError("its parts are no plain files")
                with part, (place / name).open("wb") as out:
                    shutil.copyfileobj(part, out)
        entries = tuple(scan(place / "tree.tar"))
        if len({one.path for one in entries}) < len(entries):
            raise ValueError("it has a path twice")
        sums = dict(_sums((place / "sums").read_bytes()))
        return flatten([_with_sums(entries, sums)])


def _with_sums(entries: Iterable[Entry], sums: Mapping[str, str]) -> Iterator[Entry]:
    """Add the hash of each file's content, which the node sends apart from its attributes."""
    for entry in entries:
        yield entry._replace(sha256=sums.get(entry.path, "")) if entry.kind == "f" else entry


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """Parse the output of `sha256sum -z`: hash, two characters, path, zero byte."""
    for line in text.split(b"\0")[:-1]:
        found, _, path = line.partition(b"  ")
        yield path.removeprefix(b"./").decode(errors="surrogateescape"), found.decode()
