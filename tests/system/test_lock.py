"""One change at a time: the next is refused, waits, or throws the holder out, on the record."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.project import Project

pytestmark = pytest.mark.node


@pytest.fixture
def held(serving: Project) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock by a deploy whose hook waits for a line."""
    folder = serving.folder / "hooks"
    folder.mkdir()
    hook = folder / "before-deploy"
    # The first to come waits; another deploy's hook must not.
    hook.write_text(
        "#!/bin/sh\nmkdir waiting 2>/dev/null || exit 0\nmkfifo go\necho HOLDING\nread line <go\n"
    )
    hook.chmod(0o755)
    process = serving.start("deploy", "--force")
    assert process.stdout is not None
    assert any("HOLDING" in line for line in process.stdout)
    yield process
    if process.poll() is None:
        release(serving)
    process.wait(60)
    process.stdout.close()
    hook.unlink()
    folder.rmdir()
    (serving.folder / "go").unlink()
    (serving.folder / "waiting").rmdir()


def release(project: Project) -> None:
    (project.folder / "go").write_text("go\n")


def test_a_second_change_is_refused_and_told_who_holds_the_lock(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    said = serving.fab("prune")

    assert said.code == 1
    assert "is being changed by" in said.out
    assert "(deploy, since 20" in said.out
    assert "--wait SECONDS" in said.out


def test_a_change_that_waits_begins_when_the_other_has_ended(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    with serving.start("deploy", "--wait", "60", ENV_GREETING="waited") as waiting:
        assert waiting.stdout is not None
        assert any("waiting up to" in line for line in waiting.stdout)
        release(serving)
        rest = waiting.stdout.read()

    assert held.wait(60) == 0
    assert waiting.returncode == 0, rest
    assert "serves release" in rest
    serving.must("deploy")


def test_unlocking_ends_the_holders_connection_and_is_written_down(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    said = serving.must("unlock", "--reason", "went on holiday")

    line = json.loads(serving.must("audit", "--json"))["lines"][-1]
    assert "(deploy, since 20" in said
    assert "holder was " in said
    assert line["what"] == "unlock"
    assert "broke the lock of" in line["detail"]
    assert "went on holiday" in line["detail"]
    serving.must("deploy", "--force")
    release(serving)
    assert held.stdout is not None
    rest = held.stdout.read()
    assert held.wait(60) == 1
    assert "the connection to" in rest


def test_unlocking_wants_a_reason_and_a_lock_that_is_held(serving: Project) -> None:
    refused = serving.fab("unlock")

    assert refused.code == 1
    assert "reason" in refused.out
    assert "is not locked" in serving.must("unlock", "--reason", "to be sure")
