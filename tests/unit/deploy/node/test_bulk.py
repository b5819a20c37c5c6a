"""Project files go through rsync, over the connection that is open."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.bulk import send_files
from deploy.node.login import connect
from deploy.node.target import Target
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.ssh_server import Node

REMOTE = FakeRemote()
# What rsync prints of itself before it does what a stand-in does.
VERSION = '[ "$1" = --version ] && { echo "rsync  version 3.2.7  protocol version 31"; exit; }\n'
Programs = Callable[..., None]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Put shell scripts in the place of programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def stand_in(**scripts: str) -> None:
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}\n")
            (folder / name).chmod(0o700)

    return stand_in


@pytest.mark.program
def test_project_files_are_passed_to_rsync_by_name(programs: Programs, tmp_path: Path) -> None:
    programs(rsync=VERSION + f"cat >{tmp_path}/names; printf '%s\\n' \"$@\" >{tmp_path}/words")

    send_files(REMOTE, tmp_path, {"a b": 0o644, "ü\n'": 0o644}, into="/new", like="/old")
    assert (tmp_path / "names").read_bytes() == "./a b\0./ü\n'\0".encode()
    words = (tmp_path / "words").read_text().splitlines()
    assert words[-2:] == [f"{tmp_path}/", "node:/new/"]
    assert "--link-dest=/old" in words


@pytest.mark.program
def test_files_of_any_name_arrive_with_their_computed_mode(
    programs: Programs, tmp_path: Path
) -> None:
    programs(sudo='shift; exec "$@"')
    modes = dict.fromkeys(["#a", ";b", "-c", " d ", "e\nf", "deep/#g", "*", "...", "ü"], 0o644)
    modes |= {"#program": 0o755, "deep/program": 0o755}
    (tmp_path / "from/deep").mkdir(parents=True)
    (tmp_path / "to").mkdir()
    for name in modes:
        (tmp_path / "from" / name).write_text(name)
        (tmp_path / "from" / name).chmod(0o6711)
    (tmp_path / "from/deep").chmod(0o3777)

    send_files(REMOTE, tmp_path / "from", modes, into=f"{tmp_path}/to", like=f"{tmp_path}/old")

    to = tmp_path / "to"
    arrived = {str(path.relative_to(to)): path for path in to.rglob("*") if path.is_file()}
    assert {name: path.stat().st_mode & 0o7777 for name, path in arrived.items()} == modes
    assert all(path.read_text() == name for name, path in arrived.items())
    assert (to / "deep").stat().st_mode & 0o7777 == 0o755


@pytest.mark.program
@pytest.mark.loopback
def test_files_go_over_the_login_that_is_open_whatever_the_shell_prints(
    programs: Programs, node: Node, target: Target, tmp_path: Path
) -> None:
    programs(sudo='shift; exec "$@"')
    node.before = b"Welcome!\n"
    for name in ("from", "to", "old"):
        (tmp_path / name).mkdir()
    (tmp_path / "from/big").write_bytes(os.urandom(3_000_000))
    (tmp_path / "from/same").write_text("same")
    (tmp_path / "old/same").write_text("same")
    modes = dict.fromkeys(["big", "same"], 0o644)
    (tmp_path / "old/same").chmod(0o644)

    with connect(target, None) as remote:
        send_files(remote, tmp_path / "from", modes, into=f"{tmp_path}/to", like=f"{tmp_path}/old")

    assert (tmp_path / "to/big").read_bytes() == (tmp_path / "from/big").read_bytes()
    assert (tmp_path / "to/same").samefile(tmp_path / "old/same")
    assert len(node.transports) == 1


@pytest.mark.program
@pytest.mark.loopback
def test_a_command_that_fails_on_the_node_is_said(
    programs: Programs, node: Node, target: Target, tmp_path: Path
) -> None:
    programs(sudo="echo you may not >&2; exit 1")
    (tmp_path / "a").write_text("a")

    with connect(target, None) as remote, pytest.raises(DeployError, match="you may not"):
        send_files(remote, tmp_path, {"a": 0o644}, into=f"{tmp_path}/to", like="/old")


@pytest.mark.program
def test_an_rsync_that_never_starts_its_shell_is_over(programs: Programs, tmp_path: Path) -> None:
    programs(rsync=VERSION + "exit 3")

    with pytest.raises(DeployError, match="exit code 3"):
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")


@pytest.mark.program
def test_rsyncs_error_is_passed_on(programs: Programs, tmp_path: Path) -> None:
    programs(rsync=VERSION + "cat >/dev/null; echo no space left >&2; echo more >&2; exit 11")

    with pytest.raises(DeployError, match=r"failed \(exit code 11\):\n  no space left\n  more$"):
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")


@pytest.mark.program
@pytest.mark.parametrize(
    "said",
    [
        "rsync  version 2.6.9  protocol version 29",
        "openrsync: protocol version 29\nrsync version 2.6.9 compatible",
        "openrsync: protocol version 27",
    ],
)
def test_the_rsync_of_macos_is_refused_before_anything_is_sent(
    programs: Programs, tmp_path: Path, said: str
) -> None:
    programs(rsync=f"echo '{said}'; echo \"$1\" >>{tmp_path}/started")

    with pytest.raises(DeployError, match=rf"too old: {said.splitlines()[0]}$") as caught:
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")
    assert "brew install rsync" in caught.value.hint
    assert (tmp_path / "started").read_text() == "--version\n"


@pytest.mark.program
def test_a_program_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DeployError, match="rsync is not installed here"):
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")


@pytest.mark.program
def test_a_node_that_does_not_stop_writing_errors_is_given_up(
    programs: Programs, tmp_path: Path
) -> None:
    programs(rsync=VERSION + "yes 'cannot write' >&2; exit 23")

    with pytest.raises(DeployError, match="cannot write") as caught:
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/to", like="/like")
    assert len(caught.value.message) < 1000
