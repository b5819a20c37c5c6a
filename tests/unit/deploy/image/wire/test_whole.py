"""A whole image is compressed and sent; the program that failed first is named."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from zstandard import ZstdDecompressor

from deploy.errors import DeployError
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.wire.whole import send_whole
from deploy.node.command import Command
from deploy.node.remote import Result
from tests.unit.deploy.fake_remote import FakeRemote, refusal

pytestmark = pytest.mark.program
IMAGE = Image("localhost/shop:1", "sha256:1", 10)
SAVE = SaveCommand(("podman", "save", "--quiet", IMAGE.id), "docker-archive")
Podman = Callable[[str], None]


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Podman:
    """Put a shell script in the place of podman."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def stand_in(script: str) -> None:
        (tmp_path / "podman").write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / "podman").chmod(0o700)

    return stand_in


def test_an_image_arrives_compressed_and_is_counted(podman: Podman) -> None:
    podman("echo $* >&2; head -c 3000000 /dev/zero")
    counted: list[int] = []
    remote = FakeRemote()

    send_whole(remote, "shop-www", IMAGE, SAVE, counted.append)

    assert sum(counted) == 3_000_000
    sent = remote.the("load-image").stdin
    assert ZstdDecompressor().decompressobj().decompress(sent) == bytes(3_000_000)


def test_a_node_that_refuses_is_named_with_its_last_line(podman: Podman) -> None:
    podman("echo small")
    remote = FakeRemote({"load-image": refusal("first\nunknown layer", 125)})

    with pytest.raises(DeployError, match="localhost/shop:1 failed at the node: unknown layer"):
        send_whole(remote, "shop-www", IMAGE, SAVE, lambda _: None)


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo no such image >&2; exit 125", "no such image"), ("exit 3", "exit code 3")],
)
def test_an_image_that_cannot_be_read_whole_never_ends_on_the_node(
    podman: Podman, script: str, said: str
) -> None:
    podman(f"head -c 500000 /dev/zero; {script}")
    remote = FakeRemote()

    with pytest.raises(DeployError, match=f"localhost/shop:1 failed at podman save: {said}$"):
        send_whole(remote, "shop-www", IMAGE, SAVE, lambda _: None)
    assert remote.commands == []


@dataclass
class Full(FakeRemote):
    """A node that reads a part and says why it takes no more."""

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        next(iter(parts))
        return refusal("no space left")


def test_a_node_that_ends_early_is_named_and_podman_is_stopped(
    podman: Podman, tmp_path: Path
) -> None:
    podman(f"echo $$ >{tmp_path}/number; exec head -c 900000000 /dev/urandom")

    with pytest.raises(DeployError, match="failed at the node: no space left"):
        send_whole(Full(), "shop-www", IMAGE, SAVE, lambda _: None)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "number").read_text()), 0)


def test_an_interrupt_leaves_no_program_behind(podman: Podman, tmp_path: Path) -> None:
    podman(f"echo $$ >{tmp_path}/number; exec yes")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_whole(FakeRemote(), "shop-www", IMAGE, SAVE, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "number").read_text()), 0)


def test_a_program_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DeployError, match="podman is not installed here"):
        send_whole(FakeRemote(), "shop-www", IMAGE, SAVE, lambda _: None)
