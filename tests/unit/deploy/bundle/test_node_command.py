"""Commands of a node are a closed list; each is published once, beside what waits already."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.bundle import command, send
from deploy.bundle.command import node_command, read_public_key
from deploy.bundle.plan.node_command import Asked
from deploy.bundle.publish import publish_node
from deploy.errors import DeployError
from deploy.project import Project
from tests.unit.deploy.bundle.test_publish import published
from tests.unit.deploy.machine.drift.node import KEY
from tests.unit.deploy.registry.fake_registry import FakeRegistry

RELEASE = "20300615-120000-ab12"
BLOB = " ".join(KEY.split()[:2])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("retry", "shop-www"), ("retry", "shop-www")),
        (Asked("hold", "shop-www"), ("hold", "shop-www")),
        (Asked("restart", "shop-www"), ("restart", "shop-www")),
        (Asked("release", "shop-www", RELEASE), ("release", "shop-www", RELEASE)),
        (Asked("reboot", "shop-www"), ("reboot",)),
        (Asked("os-rollback", "shop-www"), ("os-rollback",)),
        (Asked("collect", "shop-www"), ("collect",)),
        (Asked("ssh-open", "shop-www", "", 30, KEY), ("ssh-open", "30", *BLOB.split())),
    ],
)
def test_a_command_has_its_words(asked: Asked, words: tuple[str, ...]) -> None:
    assert asked.words() == words


@pytest.mark.parametrize(
    "asked",
    [
        Asked("rm", "shop-www"),
        Asked("release", "shop-www"),
        Asked("release", "shop-www", "../../etc"),
        Asked("release", "shop-www", f"{RELEASE}\n"),
        Asked("restart", "shop-www", RELEASE),
        Asked("reboot", "shop-www", minutes=3),
        Asked("ssh-open", "shop-www", "", 0, KEY),
        Asked("ssh-open", "shop-www", "", 241, KEY),
        Asked("ssh-open", "shop-www", "", 30, ""),
        Asked("ssh-open", "shop-www", "", 30, f'command="x" {KEY}'),
        Asked("ssh-open", "shop-www", "", 30, "ssh-dss AAAA"),
    ],
)
def test_what_is_no_command_is_refused(asked: Asked) -> None:
    with pytest.raises(DeployError):
        asked.words()


def test_the_key_to_let_in_is_the_only_one_of_its_file(project: Project) -> None:
    assert read_public_key(project, "id.pub") == BLOB
    assert read_public_key(project, "") == ""
    Path(project.folder / "two.pub").write_text(f"{KEY}\n{KEY}\n")
    with pytest.raises(DeployError, match="has 2 keys"):
        read_public_key(project, "two.pub")


def commands(registry: FakeRegistry) -> list[dict[str, Any]]:
    return list(published(registry)[0]["commands"])


@pytest.mark.loopback
@pytest.mark.program
def test_a_command_is_published_beside_files_and_what_waits(
    project: Project, registry: FakeRegistry
) -> None:
    publish_node(project)
    before, files = published(registry)

    node_command(project, Asked("reboot", "shop-www"), valid_minutes=5)
    node_command(project, Asked("hold", "shop-www"), valid_minutes=5)

    after, kept = published(registry)
    assert [one["words"] for one in commands(registry)] == [["reboot"], ["hold", "shop-www"]]
    assert after["files"] == before["files"]
    assert {**kept, "bundle.json": b""} == {**files, "bundle.json": b""}
    first, second = commands(registry)
    assert before["serial"] < first["serial"] < second["serial"] == after["serial"]
    assert {one["node"] for one in (first, second)} == {"shop1"}


@pytest.mark.loopback
@pytest.mark.program
def test_files_are_published_beside_commands_that_wait(
    project: Project, registry: FakeRegistry
) -> None:
    node_command(project, Asked("reboot", "shop-www"), valid_minutes=5)
    assert published(registry)[0]["files"] is None

    publish_node(project)

    assert [one["words"] for one in commands(registry)] == [["reboot"]]
    assert published(registry)[0]["files"]


@pytest.mark.loopback
@pytest.mark.program
def test_a_command_that_has_expired_is_published_no_more(
    project: Project, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    node_command(project, Asked("reboot", "shop-www"), valid_minutes=1)
    later = time.time() + 60
    monkeypatch.setattr(send, "time", SimpleNamespace(time=lambda: later))
    node_command(project, Asked("hold", "shop-www"), valid_minutes=5)

    assert [one["words"] for one in commands(registry)] == [["hold", "shop-www"]]


@pytest.mark.loopback
@pytest.mark.program
def test_more_commands_than_a_node_reads_are_refused(
    project: Project, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "MOST_COMMANDS", 1)
    node_command(project, Asked("reboot", "shop-www"), valid_minutes=5)

    with pytest.raises(DeployError, match="1 commands wait"):
        node_command(project, Asked("reboot", "shop-www"), valid_minutes=5)


@pytest.mark.loopback
@pytest.mark.program
@pytest.mark.parametrize("minutes", [0, -1, 44641, 10**15])
def test_a_time_in_which_no_node_could_carry_it_out_is_refused(
    project: Project, registry: FakeRegistry, minutes: int
) -> None:
    with pytest.raises(DeployError, match=f"--valid {minutes}: "):
        node_command(project, Asked("reboot", "shop-www"), valid_minutes=minutes)

    assert registry.written == []
