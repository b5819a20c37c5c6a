"""Files are written atomically, with their mode from the first byte."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.workstation.files import write_atomically


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fails(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def interrupts(descriptor: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("strict_umask")
@pytest.mark.parametrize("wanted", [0o600, 0o644])
def test_a_file_gets_content_mode_and_missing_folders(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "a/b/file"

    write_atomically(path, b"text", wanted)

    assert path.read_bytes() == b"text"
    assert mode(path) == wanted
    assert list(path.parent.iterdir()) == [path]


def test_the_mode_is_set_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    fchmod = os.fchmod

    def look(descriptor: int, wanted: int) -> None:
        fchmod(descriptor, wanted)
        found = os.fstat(descriptor)
        seen.append((stat.S_IMODE(found.st_mode), found.st_size))

    monkeypatch.setattr(os, "fchmod", look)

    write_atomically(tmp_path / "key", b"secret", 0o600)
    assert seen == [(0o600, 0)]


def test_a_file_is_replaced_and_takes_the_new_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o666)

    write_atomically(path, b"new", 0o600)

    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_a_full_disk_leaves_the_file_unchanged_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fails)

    with pytest.raises(DeployError, match=r"file cannot be written: No space left") as caught:
        write_atomically(path, b"new", 0o600)
    assert caught.value.hint
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", interrupts)

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new", 0o600)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")

    with pytest.raises(DeployError, match="cannot be written"):
        write_atomically(tmp_path / "folder/file", b"", 0o644)
