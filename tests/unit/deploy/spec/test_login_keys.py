"""Who may log in is collected from files and the agent, and nothing else gets into the spec."""

import base64
import os
import stat
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.access_key import read_key
from deploy.spec.login_keys import collect_keys, key_owners
from deploy.spec.people import retire, write_keys
from tests.unit.deploy.examples import settings

ONE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOnexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
TWO = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBI5TO2+gv3tGJbswZnwB"
    "+2B++fi4qA/vWzAGKHAxh7Kjc+sdveAzGDZtBp+DpvWQAFPHNjPLBBshxV4ahsH0ALQ="
)
TOKEN = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwN"
    "Dg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo="
)


def encoded(kind: str, *parts: bytes) -> str:
    """Write a key of these parts in base64."""
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *parts))
    return base64.b64encode(blob).decode()


def keys_of(sources: tuple[str, ...], *, folder: Path) -> tuple[str, ...]:
    return collect_keys(Project(folder, settings(SSH_KEYS=" ".join(sources))))


def test_the_keys_of_all_files_are_collected_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.pub").write_text(f"{TWO} b@here\n")
    (tmp_path / "a.pub").write_text(f"# mine\n\n{ONE} a@here\n{TOKEN}\n")

    assert keys_of(("*.pub",), folder=tmp_path) == (f"{ONE} a@here", TOKEN, f"{TWO} b@here")


def test_a_key_that_is_in_two_files_is_collected_once(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE} a@here\n")
    (tmp_path / "b.pub").write_text(f"{ONE} b@there\n")

    assert keys_of(("a.pub", "b.pub", "*.pub"), folder=tmp_path) == (f"{ONE} a@here",)


def test_each_key_belongs_to_a_person_or_the_settings_and_retired_ones_to_neither(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE} a@here\n{TWO}\n{TOKEN}\n")
    one, two, token = (key for key in map(read_key, (ONE, TWO, TOKEN)) if key)
    project = Project(tmp_path, settings(SSH_KEYS="gone.pub a.pub"))
    write_keys(project, "ann", (one,))
    retire(project, (token,))

    found = key_owners((project,))

    assert found == {one.blob: "ann", two.blob: "SSH_KEYS"}


def test_a_file_may_have_an_absolute_path_or_one_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.pub").write_text(f"{ONE}\n")

    assert keys_of(("~/*.pub",), folder=Path("/nowhere")) == (ONE,)
    assert keys_of((str(tmp_path / "a.pub"),), folder=Path("/nowhere")) == (ONE,)


def test_a_project_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "shop [old] *"
    folder.mkdir()
    (folder / "a.pub").write_text(f"{ONE}\n")

    assert keys_of(("a.pub",), folder=folder) == (ONE,)
    assert keys_of(("*.pub",), folder=folder) == (ONE,)


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        (' me"\n', " me_"),
        (" me & you: {@APP@} #\n", " me _ you_ _@APP@_ _"),
        (" \\ $(reboot) `x`\n", " _ __reboot_ _x_"),
        (" zoë\r\n", " zo_"),
        ("   \n", ""),
    ],
)
def test_characters_of_a_comment_with_a_meaning_are_replaced(
    tmp_path: Path, comment: str, kept: str
) -> None:
    (tmp_path / "a.pub").write_bytes(f"{ONE}{comment}".encode())

    assert keys_of(("a.pub",), folder=tmp_path) == (f"{ONE}{kept}",)


CERTIFICATE = f"ssh-ed25519-cert-v01@openssh.com {encoded('ssh-ed25519-cert-v01@openssh.com')}"
DSS = f"ssh-dss {encoded('ssh-dss', *(b'1234',) * 4)}"
SHORT_RSA = f"ssh-rsa {encoded('ssh-rsa', bytes((1, 0, 1)), bytes(1) + bytes((255,)) * 128)}"
REFUSED = [
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "a private key or a certificate", ".pub file"),
    ("---- BEGIN SSH2 PUBLIC KEY ----\nComment: x", "format of RFC 4716", "ssh-keygen -i -f FILE"),
    ("-----BEGIN PUBLIC KEY-----", "a public key in PEM", "-m PKCS8"),
    ("PuTTY-User-Key-File-3: ssh-ed25519", "a private key of PuTTY", "ssh-keygen -y"),
    (f'command="reboot",no-pty {ONE}', "options other than expiry-time: command, no-pty", "remove"),
    (f'from="192.0.2.0/24" {ONE}', "options other than expiry-time: from", "by an overlay"),
    ("ssh-ed25519", "not a whole ssh-ed25519 key", "copy the file again"),
    (ONE[:-1], "not a whole ssh-ed25519 key", "copy the file again"),
    (ONE[:-4], "not a whole ssh-ed25519 key", "copy the file again"),
    (f"{ONE}AAAA", "not a whole ssh-ed25519 key", "copy the file again"),
    (f"{TWO[:-4]}AAA=", "not a whole ecdsa-sha2-nistp256 key", "copy the file again"),
    (TOKEN[:-4], "not a whole sk-ssh-ed25519@openssh.com key", "copy the file again"),
    (f"ssh-rsa {ONE.split()[1]}", "not a whole ssh-rsa key", "copy the file again"),
    (CERTIFICATE, "a certificate of a key, not the key", "the .pub file beside it"),
    (DSS, "an ssh-dss key; nodes take Ed25519, ECDSA and RSA keys", "ssh-keygen -t ed25519"),
    (SHORT_RSA, "an RSA key of 1024 bits; nodes want 2048", "ssh-keygen -t ed25519"),
    ("restrict", "not an SSH public key", "ssh-keygen -t ed25519"),
]


@pytest.mark.parametrize(("line", "reason", "todo"), REFUSED)
def test_a_line_that_is_no_key_for_a_node_is_refused_with_its_reason_and_not_shown(
    tmp_path: Path, line: str, reason: str, todo: str
) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE}\n\n{line}\n")

    with pytest.raises(DeployError, match=rf"a\.pub:3: .*{reason}") as caught:
        keys_of(("a.pub",), folder=tmp_path)
    assert line == "ssh-ed25519" or line.partition("\n")[0] not in caught.value.message
    assert todo in caught.value.hint


@pytest.mark.parametrize(("line", "reason", "_"), REFUSED)
def test_what_is_no_key_is_passed_over_with_a_warning_where_a_pattern_finds_it(
    tmp_path: Path, line: str, reason: str, _: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE}\n{line}\n")
    (tmp_path / "b.pub").symlink_to("gone")
    (tmp_path / "c.pub").write_text(f"{TWO}\n")

    assert keys_of(("*.pub",), folder=tmp_path) == (ONE, TWO)
    keys_of(("*.pub",), folder=tmp_path)

    said = " ".join(capsys.readouterr().err.split())
    assert said.count(f"passed over: {tmp_path}/a.pub:2: ") == 1
    assert reason in said
    assert said.count(f"passed over: {tmp_path}/b.pub cannot be read: No such file") == 1


@pytest.mark.parametrize(
    "text", [f"\ufeff{ONE}\n", f"  # mine\n\t# too\n{ONE}\n", f"  {ONE}\r\n", f"\n \n{ONE}"]
)
def test_a_byte_order_mark_blanks_and_comments_are_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pub").write_bytes(text.encode())

    assert keys_of(("a.pub",), folder=tmp_path) == (ONE,)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("mine.pub", "SSH_KEYS names mine.pub, which does not exist"),
        ("~nobody-of-that-name/a.pub", "SSH_KEYS names ~nobody-of-that-name/a.pub, which"),
        ("*.pub", r"no SSH public key found in \*\.pub"),
        ("folder", "folder cannot be read"),
        ("binary", "binary cannot be read"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, source: str, part: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(DeployError, match=part) as caught:
        keys_of((source,), folder=tmp_path)
    assert caught.value.hint


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ssh-add; write the shell script that it is."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    program = tmp_path / "bin/ssh-add"
    program.touch(stat.S_IRWXU)
    return program


@pytest.mark.parametrize("text", ["", "\n\n# mine\n"])
def test_a_file_without_a_key_is_refused_where_it_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE} a@here\n")
    (tmp_path / "b.pub").write_text(text)

    with pytest.raises(DeployError, match=r"/b\.pub holds no key"):
        keys_of(("a.pub", "b.pub"), folder=tmp_path)
    assert keys_of(("*.pub",), folder=tmp_path) == (f"{ONE} a@here",)


def test_a_pipe_or_a_device_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE} a@here\n")
    os.mkfifo(tmp_path / "b.pub")
    (tmp_path / "c.pub").symlink_to("/dev/zero")

    for name in ("b", "c"):
        with pytest.raises(DeployError, match=rf"/{name}\.pub is not a file"):
            keys_of((f"{name}.pub",), folder=tmp_path)
    assert keys_of(("*.pub",), folder=tmp_path) == (f"{ONE} a@here",)
    assert "b.pub is not a file" in capsys.readouterr().err


@pytest.mark.program
def test_the_keys_of_the_agent_come_with_those_of_files(tmp_path: Path, agent: Path) -> None:
    agent.write_text(f"#!/bin/sh\n[ $1 = -L ] && echo '{ONE} agent' && echo '{TOKEN}'\n")
    (tmp_path / "a.pub").write_text(f"{TWO}\n")

    assert keys_of(("agent", "a.pub"), folder=tmp_path) == (f"{ONE} agent", TOKEN, TWO)


@pytest.mark.program
def test_certificates_and_keys_that_no_node_takes_stay_in_the_agent(
    tmp_path: Path, agent: Path
) -> None:
    lines = "\n".join((CERTIFICATE, DSS, SHORT_RSA, ONE))
    agent.write_text(f"#!/bin/sh\necho '{lines}'\n")

    assert keys_of(("agent",), folder=tmp_path) == (ONE,)


@pytest.mark.program
def test_an_empty_or_absent_agent_has_no_keys(tmp_path: Path, agent: Path) -> None:
    agent.write_text("#!/bin/sh\necho 'The agent has no identities.'\nexit 1\n")
    (tmp_path / "a.pub").write_text(f"{TWO}\n")

    assert keys_of(("agent", "a.pub"), folder=tmp_path) == (TWO,)
    with pytest.raises(DeployError, match="no SSH public key found in agent"):
        keys_of(("agent",), folder=tmp_path)


@pytest.mark.program
def test_without_ssh_add_the_agent_has_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DeployError, match="no SSH public key found"):
        keys_of(("agent",), folder=tmp_path)
