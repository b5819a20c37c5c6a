"""Bulk data goes through ssh and rsync; the program that failed first is named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.wire.whole import send_whole
from deploy.node.bulk import send_files
from tests.unit.deploy.fake_remote import FakeRemote

REMOTE = FakeRemote()
IMAGE = Image("localhost/shop:1", "sha256:1", 10)
SAVE = SaveCommand(("podman", "save", "--quiet", IMAGE.id), "docker-archive")
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
def test_an_image_goes_through_compression_to_the_node_and_is_counted(
    programs: Programs, tmp_path: Path
) -> None:
    programs(
        podman="echo $* >&2; head -c 3000000 /dev/zero",
        ssh=f"echo $# >{tmp_path}/words; zstd -dcq | wc -c >{tmp_path}/arrived",
    )
    counted: list[int] = []

    send_whole(REMOTE, "shop-www", IMAGE, SAVE, counted.append)
    assert sum(counted) == 3_000_000
    assert int((tmp_path / "arrived").read_text()) == 3_000_000


@pytest.mark.program
@pytest.mark.parametrize(
    ("podman", "ssh", "said"),
    [
        (
            "head -c 500000 /dev/zero; echo no such image >&2; exit 125",
            "cat >/dev/null; echo archive is cut short >&2; exit 1",
            "failed at podman save: no such image",
        ),
        (
            "head -c 9000000 /dev/urandom",
            "head -c 100 >/dev/null; echo no space left >&2; exit 1",
            "failed at the node: no space left",
        ),
        (
            "head -c 500000 /dev/zero",
            "cat >/dev/null; echo unknown layer >&2; exit 125",
            "failed at the node: unknown layer",
        ),
        (
            "head -c 9000000 /dev/urandom",
            "exit 255",
            "failed at the node: exit code 255",
        ),
        (
            "echo small",
            "echo Permission denied >&2; exit 255",
            "failed at the node: Permission denied",
        ),
    ],
)
def test_the_program_that_failed_first_is_named(
    programs: Programs, podman: str, ssh: str, said: str
) -> None:
    programs(podman=podman, ssh=ssh)

    with pytest.raises(DeployError) as caught:
        send_whole(REMOTE, "shop-www", IMAGE, SAVE, lambda _: None)
    assert caught.value.message == f"sending image localhost/shop:1 {said}"


@pytest.mark.program
def test_an_interrupt_leaves_no_program_behind(programs: Programs, tmp_path: Path) -> None:
    programs(
        podman=f"echo $$ >{tmp_path}/1; exec yes",
        ssh=f"echo $$ >{tmp_path}/2; exec cat >/dev/null",
    )

    def interrupt(_: int) -> None:
        if all((tmp_path / name).exists() for name in "12"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_whole(REMOTE, "shop-www", IMAGE, SAVE, interrupt)
    for name in "12":
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / name).read_text()), 0)


@pytest.mark.program
def test_project_files_are_passed_to_rsync_by_name(programs: Programs, tmp_path: Path) -> None:
    programs(rsync=f"cat >{tmp_path}/names; printf '%s\\n' \"$@\" >{tmp_path}/words")

    send_files(REMOTE, tmp_path, {"a b": 0o644, "ü\n'": 0o644}, into="/new", like="/old")
    assert (tmp_path / "names").read_bytes() == "./a b\0./ü\n'\0".encode()
    words = (tmp_path / "words").read_text().splitlines()
    assert words[-2:] == [f"{tmp_path}/", "node:/new/"]
    assert "--link-dest=/old" in words


@pytest.mark.program
def test_files_of_any_name_arrive_with_their_computed_mode(
    programs: Programs, tmp_path: Path
) -> None:
    programs(
        ssh='while [ "$1" != node ]; do shift; done; shift; exec bash -c "$*"',
        sudo='shift; exec "$@"',
    )
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
def test_rsyncs_error_is_passed_on(programs: Programs, tmp_path: Path) -> None:
    programs(rsync="cat >/dev/null; echo no space left >&2; echo more >&2; exit 11")

    with pytest.raises(DeployError, match=r"failed \(exit code 11\):\n  no space left\n  more$"):
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")


@pytest.mark.program
def test_a_program_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DeployError, match="rsync is not installed here"):
        send_files(REMOTE, tmp_path, {"a": 0o644}, into="/new", like="/old")
    with pytest.raises(DeployError, match="podman is not installed here"):
        send_whole(REMOTE, "shop-www", IMAGE, SAVE, lambda _: None)
