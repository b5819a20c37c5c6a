"""The tar of a release is owned by root, whoever packs it."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from deploy.node.file import File, pack

NAMES = st.lists(
    st.text("abcé.", min_size=1, max_size=60).filter(lambda name: name.strip(".")),
    min_size=1,
    max_size=4,
).map("/".join)


def unpacked(archive: bytes) -> dict[str, tuple[bytes, int, int, int]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as held:
        return {
            entry.name: (_content(held, entry), entry.mode, entry.uid, entry.gid) for entry in held
        }


def _content(held: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = held.extractfile(entry)
    assert file
    return file.read()


@given(st.dictionaries(NAMES, st.tuples(st.binary(), st.sampled_from([0o600, 0o644, 0o755]))))
def test_every_file_is_unpacked_unchanged_and_owned_by_root(
    wanted: dict[str, tuple[bytes, int]],
) -> None:
    files = [File(f"/{name}", content, mode) for name, (content, mode) in wanted.items()]

    found = unpacked(pack(files))
    assert found == {name: (content, mode, 0, 0) for name, (content, mode) in wanted.items()}


def test_no_path_leads_out_of_the_archive() -> None:
    assert list(unpacked(pack([File("//etc/x", b""), File("root/etc/y", b"")]))) == [
        *("etc/x", "root/etc/y")
    ]


def test_the_same_files_make_the_same_archive() -> None:
    files = [File("/a", b"1"), File("/b", b"2", 0o600)]

    assert pack(files) == pack(files)
