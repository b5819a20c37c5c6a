"""An image is tried on a node that is removed again, whatever happens."""

import os
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.store.engines import Podman
from deploy.node.command import Command
from deploy.project import Project
from deploy.rehearse import nodes, try_image
from rehearsal import lifecycle
from rehearsal.node import NodeStatus
from tests.unit.deploy.examples import IMAGE, settings
from tests.unit.deploy.fake_remote import Answer, FakeRemote, reach, refusal
from tests.unit.deploy.rehearse.plan.trials import ended, reply, seen

NO_PROCESS = 2**22 + 1  # above the kernel's highest process id


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have nodes that come up at once; list those that were removed."""
    gone: list[str] = []
    monkeypatch.setattr(lifecycle, "status", tuple)
    monkeypatch.setattr(nodes, "up", lambda _: None)
    monkeypatch.setattr(nodes, "down", lambda _, name: gone.append(name))
    monkeypatch.setattr(try_image, "image_send", lambda *_, **__: None)
    monkeypatch.setattr(Podman, "image", lambda *_: IMAGE)
    return gone


def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> FakeRemote:
    remote = reach(monkeypatch, FakeRemote({"try-image": list(answers)}))
    given = settings(**{"ENV_*": {"COLOUR": "blue"}, "IMAGE_CACHE": str(tmp_path / "cache")})
    remote.code = try_image.try_image(Project(tmp_path, given), seconds=20)  # type: ignore[attr-defined]
    return remote


def test_the_settings_are_printed_in_the_order_of_the_model(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    down: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = seen(listening=("*:80",), replies=(reply(80, "/health"),)).model_dump_json()
    failed = ended("Permission denied").model_dump_json()

    remote = tried(tmp_path, monkeypatch, failed, served)

    lines = [line for line in capsys.readouterr().out.splitlines() if "=" in line]
    assert lines == [
        "IMAGE=localhost/shop:1",
        "CONTAINER_PORT=80",
        "CONTAINER_CAPABILITIES=NET_BIND_SERVICE",
        "HEALTH_PATH=/health",
    ]
    assert down == [f"try-{os.getpid()}"]
    commands = remote.all_of("try-image")
    assert all(b"--env=COLOUR=blue" in one.stdin for one in commands)
    assert not any("blue" in str(one) for one in commands)


def test_no_trial_is_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: list[str]
) -> None:
    def answer(command: Command) -> str:
        works = b"--cap-add=SYS_CHROOT" in command.stdin and b"--user" not in command.stdin
        return (seen() if works else ended()).model_dump_json()

    remote = tried(tmp_path, monkeypatch, answer)

    run = [one.stdin for one in remote.all_of("try-image")]
    assert len(run) == len(set(run)) > 4


def test_the_node_is_removed_when_a_try_fails_or_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: list[str]
) -> None:
    with pytest.raises(DeployError, match="running the image failed"):
        tried(tmp_path, monkeypatch, refusal("no podman"))
    with pytest.raises(KeyboardInterrupt):
        tried(tmp_path, monkeypatch, KeyboardInterrupt())

    assert down == [f"try-{os.getpid()}"] * 2


@pytest.mark.parametrize("said", ["{}", "nonsense", '{"running": true}'])
def test_an_answer_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: list[str], said: str
) -> None:
    with pytest.raises(DeployError, match="what the image did cannot be read"):
        tried(tmp_path, monkeypatch, said)


def test_what_an_image_says_cannot_steer_the_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    down: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    remote = tried(tmp_path, monkeypatch, ended("\x1b[2J[red]x").model_dump_json())

    shown = capsys.readouterr()
    assert remote.code == 1  # type: ignore[attr-defined]
    assert "\x1b[2J" not in shown.out + shown.err
    assert "\\x1b[2J[red]x" in shown.out
    assert "\\x1b[2J[red]x" in shown.err


def test_nodes_of_tries_that_were_killed_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: list[str]
) -> None:
    killed, operators = tmp_path / "corefab-try-x1", tmp_path / "shop"
    for folder in (killed, operators):
        folder.mkdir()
    found = tuple(
        NodeStatus(name, "running", "198.18.0.6", 22, "boot", Path("/tree"), owner)
        for name, owner in (
            (f"try-{NO_PROCESS}", killed),
            (f"try-{NO_PROCESS + 1}", operators),
            (f"try-{os.getpid()}", killed),
            ("try-me", killed),
            ("shop", operators),
        )
    )
    removed: list[str] = []
    monkeypatch.setattr(lifecycle, "status", lambda: found)
    monkeypatch.setattr(lifecycle, "down", lambda name, _: removed.append(name))

    tried(tmp_path, monkeypatch, seen().model_dump_json())

    assert removed == [f"try-{NO_PROCESS}"]
    assert not killed.exists()
    assert operators.exists()


def test_an_image_in_a_file_is_found_from_the_folder_of_the_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: list[str]
) -> None:
    asked: list[str] = []

    class Found:
        def image(self) -> None:
            pass

    def source_of(name: str, _: Path) -> Found:
        asked.append(name)
        return Found()

    monkeypatch.setattr(try_image, "source_of", source_of)
    reach(monkeypatch, FakeRemote({"try-image": seen().model_dump_json()}))
    given = settings(IMAGE="oci-archive:shop.tar:1")

    try_image.try_image(Project(tmp_path, given), seconds=20)

    assert asked == [f"oci-archive:{tmp_path}/shop.tar:1"]
