"""Files with secrets, and how they are replaced."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from certs.errors import CertError
from certs.store import Material, read, read_secret, write_public, write_secret


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "server.key.enc"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_for_its_owner_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        write_secret(path, b"secret")
    finally:
        os.umask(before)

    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert read_secret(path) == b"secret"


def test_a_secret_is_for_its_owner_alone_between_any_two_calls(path: Path) -> None:
    path.parent.mkdir()
    seen: list[int] = []

    def look(frame: object, event: str, argument: object) -> None:
        if event == "c_call":
            seen.extend(mode(found) for found in path.parent.iterdir())

    before = os.umask(0)
    sys.setprofile(look)
    try:
        write_secret(path, b"secret")
    finally:
        sys.setprofile(None)
        os.umask(before)

    assert set(seen) == {0o600}


def test_a_public_file_is_for_all_whatever_the_umask(path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_public(path, b"public")
    finally:
        os.umask(before)

    assert mode(path) == 0o644
    assert read(path) == b"public"


def test_a_secret_that_replaces_a_public_file_is_not_public(path: Path) -> None:
    write_public(path, b"public")

    write_secret(path, b"secret")

    assert mode(path) == 0o600


def test_a_reader_sees_the_old_or_the_new_whole_and_nobody_else_a_byte(path: Path) -> None:
    old, new = b"a" * 200_000, b"b" * 200_000
    write_secret(path, old)
    stop = threading.Event()
    wrong: list[str] = []

    def watch() -> None:
        while not stop.is_set():
            if read(path) not in {old, new}:
                wrong.append("half")
            for entry in os.scandir(path.parent):
                try:
                    if entry.stat().st_mode & 0o077:
                        wrong.append(entry.name)
                except FileNotFoundError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    for turn in range(50):
        write_secret(path, new if turn % 2 else old)
    stop.set()
    watcher.join()

    assert wrong == []


def test_nothing_is_left_beside_the_file(path: Path) -> None:
    write_secret(path, b"one")
    write_secret(path, b"two")

    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_failed_replacement_leaves_the_old_and_no_litter(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(CertError, match="cannot be written"):
        write_secret(path, b"secret")

    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_use_is_refused(path: Path, bits: int) -> None:
    write_secret(path, b"secret")
    path.chmod(bits)

    with pytest.raises(CertError) as caught:
        read_secret(path)

    assert f"{bits:04o}" in caught.value.message
    assert f"chmod 600 {path}" in caught.value.hint


def test_what_is_missing_or_no_file_or_huge_is_told(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(CertError, match="not a file"):
        read(path)

    with pytest.raises(CertError, match="not a file"):
        read(path.parent)

    with pytest.raises(CertError, match="no such file"):
        read(path.parent / "absent")

    with path.with_name("huge").open("wb") as huge:
        huge.truncate(1 << 30)
    with pytest.raises(CertError, match="1073741824 bytes"):
        read(path.with_name("huge"))


@pytest.mark.parametrize("app", ["..", "a/b", "", "/etc", "authority", "A", ".hidden"])
def test_an_app_cannot_leave_its_folder(app: str) -> None:
    with pytest.raises(CertError):
        Material(app, Path())


def test_an_apps_files_are_where_they_are_documented(tmp_path: Path) -> None:
    material = Material("serbest-www", tmp_path)

    assert material.certificate == tmp_path / "serbest-www" / "server.crt"
    assert material.key == tmp_path / "serbest-www" / "server.key.enc"
    assert material.authority_certificate == tmp_path / "authority" / "ca.crt"
    assert material.authority_key == tmp_path / "authority" / "ca.key.enc"


def test_every_directory_has_an_account_key_of_its_own(tmp_path: Path) -> None:
    material = Material("serbest-www", tmp_path)

    staging = material.account_key("https://acme.example/staging")
    odd = material.account_key("https://[::1]:14000/../../dir")

    assert staging != material.account_key("https://acme.example/dir")
    assert staging.name.startswith("acme.example-")
    assert {staging.parent, odd.parent} == {tmp_path / "acme"}
