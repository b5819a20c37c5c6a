from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from container.entrypoint.key import KeyFiles, filesystem, install_key, server_context
from container.entrypoint.password import read_password
from container.errors import ContainerError
from tests.unit.container.keys import PASSWORD, issue

pytestmark = pytest.mark.program


def files(tls: Path, memory: Path) -> KeyFiles:
    return KeyFiles(
        {
            "TLS_CERT": str(tls / "server.crt"),
            "TLS_KEY_ENC": str(tls / "server.key.enc"),
            "CERT_PASS_FILE": str(tls / "cert_pass"),
            "TLS_RUN_DIR": str(memory),
        }
    )


def refusal(wanted: KeyFiles) -> ContainerError:
    with pytest.raises(ContainerError) as caught:
        install_key(wanted)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_the_key_is_decrypted_into_memory_for_its_owner_alone(tls: Path, memory: Path) -> None:
    path = Path(install_key(files(tls, memory)))

    assert path.read_bytes() == (tls / "plain.key").read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert [one.name for one in memory.iterdir()] == ["server.key"]
    server_context(str(tls / "server.crt"), str(path))


def test_a_second_time_replaces_the_key_in_one_step(tls: Path, memory: Path) -> None:
    install_key(files(tls, memory))
    (memory / "server.key.new").write_text("left by a process that was killed")

    path = Path(install_key(files(tls, memory)))

    assert path.read_bytes() == (tls / "plain.key").read_bytes()
    assert [one.name for one in memory.iterdir()] == ["server.key"]


def test_a_wrong_password_is_told_apart_and_leaves_nothing(tls: Path, memory: Path) -> None:
    (tls / "cert_pass").write_text("not it")

    assert refusal(files(tls, memory)).code == os.EX_NOPERM
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize("name", ["server.crt", "server.key.enc", "cert_pass"])
def test_a_missing_file_is_named(tls: Path, memory: Path, name: str) -> None:
    (tls / name).unlink()

    error = refusal(files(tls, memory))

    assert error.code == os.EX_NOINPUT
    assert name in str(error)
    assert list(memory.iterdir()) == []


def test_a_certificate_of_another_key_is_refused(tls: Path, memory: Path, tmp_path: Path) -> None:
    issue(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "server.crt", tls / "server.crt")

    error = refusal(files(tls, memory))

    assert error.code == os.EX_DATAERR
    assert "does not belong" in str(error)
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"a\0b", b"x" * 1025])
def test_a_password_that_openssl_could_not_take_is_refused(
    tls: Path, memory: Path, content: bytes
) -> None:
    (tls / "cert_pass").write_bytes(content)

    assert refusal(files(tls, memory)).code == os.EX_DATAERR


def test_the_password_is_gone_from_its_buffer_afterwards(tls: Path) -> None:
    with read_password(str(tls / "cert_pass")) as buffer:
        assert buffer.startswith(PASSWORD.encode() + b"\0")

    assert set(buffer) == {0}


def test_a_plain_key_is_not_taken_for_an_encrypted_one(tls: Path, memory: Path) -> None:
    shutil.copy(tls / "plain.key", tls / "server.key.enc")

    assert refusal(files(tls, memory)).code == os.EX_DATAERR


def test_a_folder_on_a_disk_is_refused(tls: Path) -> None:
    folder = Path(__file__).parent  # the source tree
    mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    if filesystem(folder.stat().st_dev, mountinfo) == "tmpfs":
        pytest.skip("the source tree itself lies in memory")

    error = refusal(files(tls, folder))

    assert error.code == os.EX_IOERR
    assert "must not reach a disk" in str(error)


def test_a_mount_is_found_by_its_device_number() -> None:
    mountinfo = (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:26 / /run/tls rw,nosuid - tmpfs tmpfs rw,size=64k\n"
    )

    assert filesystem(os.makedev(0, 26), mountinfo) == "tmpfs"
    assert filesystem(os.makedev(8, 1), mountinfo) == "ext4"
    assert filesystem(os.makedev(9, 9), mountinfo) == ""
