"""The project files are listed with fingerprints that change when they do."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.spec.project_files import left_out, list_files

EMPTY = hashlib.sha256(b"").hexdigest()
NOBODY = 65534


def test_without_a_folder_there_are_none() -> None:
    assert list_files(None) == {}


def test_files_are_listed_by_their_path_with_their_hash(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/ü ' x").write_bytes(b"1")
    (tmp_path / "a.html").write_bytes(b"")

    assert list_files(tmp_path) == {
        "a.html": EMPTY,
        "deep/er/ü ' x": hashlib.sha256(b"1").hexdigest(),
    }


def test_a_fingerprint_changes_only_with_content_and_the_executable_bit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch(0o644)
    plain = list_files(tmp_path)

    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert list_files(tmp_path) == plain

    file.chmod(0o755)
    assert list_files(tmp_path) == {"a": f"{EMPTY} x"}


def test_the_fingerprint_of_a_link_is_its_target_which_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "to-nowhere").symlink_to("nowhere")
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "loop").symlink_to("loop")

    assert list_files(tmp_path) == {
        "loop": "link loop",
        "to-folder": "link folder",
        "to-nowhere": "link nowhere",
    }


def test_version_control_settings_and_caches_are_skipped(tmp_path: Path) -> None:
    for folder in (".git", "sub/.git", "node_modules", "__pycache__", ".venv"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x").touch()
    for name in (".env", ".env.staging", "sub/.env", ".htaccess"):
        (tmp_path / name).touch()

    assert list(list_files(tmp_path)) == [".htaccess"]
    assert left_out(tmp_path) == (
        ".env", ".env.staging", ".git/", ".venv/", "__pycache__/", "node_modules/",
        "sub/.env", "sub/.git/",
    )  # fmt: skip


@pytest.mark.parametrize("name", [".envrc", ".environment", ".envoy.yaml", "x.env", "env"])
def test_a_name_that_only_begins_like_a_settings_file_is_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    assert list(list_files(tmp_path)) == [name]
    assert left_out(tmp_path) == ()


def test_empty_folders_are_listed_as_left_out(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/file").touch()

    assert left_out(tmp_path) == ("a/b/",)
    assert left_out(tmp_path / "missing") == left_out(None) == ()


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_not_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DeployError, match=f"PROJECT_FILES names {tmp_path / name}, which is no"):
        list_files(tmp_path / name)


def test_everything_that_cannot_be_sent_is_named_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / os.fsdecode(b"na\xefve.txt")).touch()
    (tmp_path / "link").symlink_to(os.fsdecode(b"\xff"))
    (tmp_path / "good").touch()

    with pytest.raises(DeployError) as caught:
        list_files(tmp_path)
    lines = caught.value.message.splitlines()
    assert lines == [
        f"{tmp_path}/link: points to a name that is not UTF-8",
        f"{tmp_path}/na\\xefve.txt: the name is not UTF-8",
        f"{tmp_path}/pipe: neither a file nor a symbolic link",
    ]
    caught.value.message.encode()


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that is read without root's rights."""
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        Path(folder).chmod(0o755)
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield Path(folder)
        os.seteuid(user)
        for path in Path(folder).iterdir():
            path.chmod(0o700)


def test_unreadable_files_are_listed(unprivileged: Path) -> None:
    (unprivileged / "file").touch(0)
    (unprivileged / "folder").mkdir(0)

    with pytest.raises(DeployError) as caught:
        list_files(unprivileged)
    assert caught.value.message.splitlines() == [
        f"{unprivileged}/file: Permission denied",
        f"{unprivileged}/folder: Permission denied",
    ]
