"""The node's list of an image's files is unpacked within a bound, or refused."""

import base64
import gzip
import io
import tarfile
from pathlib import Path

import pytest
import zstandard

from deploy.errors import DeployError
from deploy.image.tree.answer import read_node_tree, tar_bytes
from deploy.image.tree.entries import Entry
from deploy.image.tree.tree import Node, Tree
from tests.unit.deploy.image.make import entry, layer

FILES = {"./a": b"", "./b": b""}
SUMS = b"%b  ./a\0%b  ./b\0" % (b"1" * 64, b"2" * 64)


def packed(tree: bytes = layer(FILES), sums: bytes = SUMS, *more: tarfile.TarInfo) -> bytes:
    return layer({"tree.tar": tree, "sums": sums}, *more)


def read(place: Path, tar: bytes, most_bytes: int = 1_000_000) -> Tree:
    answer = base64.b64encode(zstandard.compress(tar)).decode()
    return read_node_tree(answer, place, most_bytes)


def test_the_files_and_their_hashes_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, packed())

    assert {path: node.entry.sha256 for path, node in found.items()} == {
        "a": "1" * 64,
        "b": "2" * 64,
    }


def test_an_answer_that_unpacks_to_more_than_its_bound_is_refused_while_it_is_unpacked(
    tmp_path: Path,
) -> None:
    bomb = packed(sums=bytes(256_000_000))
    assert len(zstandard.compress(bomb)) < 30_000

    with pytest.raises(DeployError, match="it unpacks to more than the image can take"):
        read(tmp_path, bomb, tar_bytes({}))

    assert (tmp_path / "answer.tar").stat().st_size <= tar_bytes({})


def test_the_bound_fits_what_a_node_answers_of_long_names_and_attributes() -> None:
    made = [
        Entry(f"{number}" + "ü" * 1000, "f", xattrs=(("user.x", "ü" * 1000),))
        for number in range(99)
    ]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in made:
            info = tarfile.TarInfo(one.path)
            info.pax_headers = {"mtime": "1.5", "SCHILY.xattr.user.x": one.xattrs[0][1]}
            tar.addfile(info)
    sums = sum(70 + len(one.path.encode()) for one in made)

    tree = {one.path: Node(one, 0, 0) for one in made}
    assert len(packed.getvalue()) + sums < tar_bytes(tree)


def with_holes() -> bytes:
    """Pack hashes that take a kilobyte and unpack to a terabyte."""
    tree, holes = tarfile.TarInfo("tree.tar"), tarfile.TarInfo("sums")
    tree.size, holes.size = len(layer(FILES)), 512
    holes.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sums",
        "GNU.sparse.realsize": str(10**12),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tree, io.BytesIO(layer(FILES)))
        tar.addfile(holes, io.BytesIO(b"0\n".ljust(512, b"\0")))
    return packed.getvalue()


@pytest.mark.parametrize(
    "tar",
    [
        packed()[:1500],
        layer({"tree.tar": layer(FILES)}),
        gzip.compress(packed()),
        packed(tree=gzip.compress(layer(FILES))),
        packed(tree=layer({}, entry("./" + "a/" * 3000, tarfile.DIRTYPE))),
        packed(tree=layer({}, entry("./../a", tarfile.DIRTYPE))),
        packed(tree=layer(FILES, entry("./a", tarfile.DIRTYPE))),
        layer({"tree.tar": layer(FILES)}, entry("sums", tarfile.SYMTYPE, "/etc/passwd")),
        layer({"tree.tar": layer(FILES)}, entry("sums", tarfile.LNKTYPE, "tree.tar")),
        layer({"tree.tar": layer(FILES)}, entry("sums", tarfile.FIFOTYPE)),
    ],
    ids=[
        *("cut off", "no hashes", "compressed twice", "a compressed tree", "a long path"),
        *("a path outside", "a path twice", "a link", "a hard link", "a pipe"),
    ],
)
def test_any_other_answer_is_one_message(tmp_path: Path, tar: bytes) -> None:
    with pytest.raises(DeployError):
        read(tmp_path, tar)


def test_a_part_with_holes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="its parts are no plain files"):
        read(tmp_path, with_holes())
