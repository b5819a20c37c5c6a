"""Who may log in is collected from files and the agent, and nothing else gets into the spec."""

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

ONE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne"
TWO = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTZUd28h"
TOKEN = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tVGhyZWUh"


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


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        f'command="reboot" {ONE}',
        "ssh-ed25519",
        "ssh-ed25519 AAAA!BBB",
        "restrict",
    ],
)
def test_a_line_that_is_not_a_public_key_is_refused_and_not_shown(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "a.pub").write_text(f"{ONE}\n\n{line}\n")

    with pytest.raises(DeployError, match=r"a\.pub:3: not an SSH public key") as caught:
        keys_of(("a.pub",), folder=tmp_path)
    assert line not in caught.value.message
    assert "never private keys" in caught.value.hint


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


@pytest.mark.program
def test_the_keys_of_the_agent_come_with_those_of_files(tmp_path: Path, agent: Path) -> None:
    agent.write_text(f"#!/bin/sh\n[ $1 = -L ] && echo '{ONE} agent' && echo '{TOKEN}'\n")
    (tmp_path / "a.pub").write_text(f"{TWO}\n")

    assert keys_of(("agent", "a.pub"), folder=tmp_path) == (f"{ONE} agent", TOKEN, TWO)


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
