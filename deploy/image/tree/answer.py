"""Parse the answer of verify-image: the file tree of an image on the node."""

import base64
import binascii
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from zstandard import ZstdError

from deploy.errors import DeployError
from deploy.image.tree.entries import Entry, scan
from deploy.image.tree.tree import Tree, flatten
from deploy.image.wire import zstd


def read_node_tree(answer: str, place: Path) -> Tree:
    """Parse the answer of verify-image; `place` is a temporary folder to unpack it in.

    Raises:
        DeployError: when it is incomplete or invalid.
    """
    plain = place / "answer.tar"
    try:
        with plain.open("wb") as out:
            zstd.unpack(io.BytesIO(base64.b64decode(answer, validate=True)), out)
        with tarfile.open(plain) as tar:
            tar.extractall(place, [tar.getmember("tree.tar"), tar.getmember("sums")], filter="data")
        sums = dict(_sums((place / "sums").read_bytes()))
        return flatten([_with_sums(scan(place / "tree.tar"), sums)])
    except (binascii.Error, tarfile.TarError, ZstdError, KeyError, ValueError) as error:
        raise DeployError(f"the node's answer cannot be read: {error}") from error


def _with_sums(entries: Iterator[Entry], sums: Mapping[str, str]) -> Iterator[Entry]:
    """Add the hash of each file's content, which the node sends apart from its attributes."""
    for entry in entries:
        yield entry._replace(sha256=sums.get(entry.path, "")) if entry.kind == "f" else entry


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """Parse the output of `sha256sum -z`: hash, two characters, path, zero byte."""
    for line in text.split(b"\0")[:-1]:
        found, _, path = line.partition(b"  ")
        yield path.removeprefix(b"./").decode(errors="surrogateescape"), found.decode()
