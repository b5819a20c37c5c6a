"""`fab converge` applies the spec, proves that a login still works, or undoes everything."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.drift.converge import ConvergeOptions, converge
from deploy.node import session
from deploy.node.command import Command
from deploy.node.remote import Result
from deploy.project import Project
from deploy.spec.spec import spec_from_settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal
from tests.unit.deploy.machine.drift.node import absent, matching, project_in, with_mode

HOSTNAME = "/etc/hostname"
YES = ConvergeOptions(may_change=True)
ASKED = ["spec-hash", "inspect"]
CARRIED_OUT = [*ASKED, "lock", "lock", "converge", "converge", *ASKED]


@pytest.fixture
def project(tmp_path: Path, remote: FakeRemote) -> Project:
    """A project whose node lacks the file with the host name, until a convergence."""
    made = project_in(tmp_path)
    machine = spec_from_settings(made).machine
    remote.answers["inspect"] = [
        absent(matching(machine), HOSTNAME),
        matching(machine).model_dump_json(),
    ]
    return made


def modes(remote: FakeRemote) -> list[str]:
    return [command.arguments[0] for command in remote.all_of("converge")]


def refuse_undoing(command: Command) -> str | Result:
    """Refuse `put-back` alone."""
    return refusal("no space left") if command.arguments[0] == "put-back" else ""


def test_the_acts_are_applied_under_both_locks_and_kept_after_a_new_login(
    project: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_from_settings(project)

    assert converge(project, YES) == 0

    assert remote.scripts == CARRIED_OUT
    assert [command.arguments[0] for command in remote.all_of("lock")] == ["node", "shop-www"]
    apply, keep = remote.all_of("converge")
    assert (apply.arguments[0], apply.arguments[2]) == ("apply", "60")
    assert (keep.arguments[0], keep.arguments[1]) == ("keep", apply.arguments[1])
    assert json.loads(keep.arguments[2])["what"] == "converge"
    with tarfile.open(fileobj=io.BytesIO(apply.stdin)) as sent:
        assert sent.getnames() == ["acts", f"new{HOSTNAME}"]
    assert (project.folder / f"state/specs/{spec.sha256}.ign").read_text() == spec.ignition
    said = capsys.readouterr().out
    assert f"file {HOSTNAME}: absent -> file" in said
    assert "web1 converged to its machine spec" in said


def test_what_the_node_refuses_is_shown_and_the_rest_kept(
    project: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = "not done: file /etc/x: chown: invalid user"
    remote.answers["converge"] = [f"{refused}\n", ""]

    converge(project, YES)

    assert modes(remote) == ["apply", "keep"]
    assert json.loads(remote.all_of("converge")[1].arguments[2])["what"] == "converge"
    assert f"warning: {refused}" in capsys.readouterr().err


def test_a_node_that_matches_is_left_alone(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    made = project_in(tmp_path)
    remote.answers["inspect"] = matching(spec_from_settings(made).machine).model_dump_json()

    assert converge(made, YES) == 0

    assert remote.scripts == ASKED
    assert "nothing to do: web1 matches its machine spec" in capsys.readouterr().out


def test_without_a_terminal_nothing_is_changed_unless_asked_for(
    project: Project, remote: FakeRemote
) -> None:
    with pytest.raises(DeployError, match="not a terminal") as refused:
        converge(project, ConvergeOptions())

    assert "--yes" in refused.value.hint
    assert remote.scripts == ASKED


def test_what_other_commands_must_fix_is_listed_and_makes_the_exit_code_2(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    made = project_in(tmp_path)
    inspection = matching(spec_from_settings(made).machine)
    remote.answers["inspect"] = inspection.model_copy(update={"groups": {}}).model_dump_json()

    assert converge(made, YES) == 2

    assert "not fixed by this command: user core: absent" in capsys.readouterr().out
    assert not remote.all_of("converge")


def test_a_node_that_refuses_the_acts_is_quoted_and_the_failure_recorded(
    project: Project, remote: FakeRemote
) -> None:
    remote.answers["converge"] = refusal("nft: syntax error")

    with pytest.raises(DeployError, match=r"machine spec failed .*: nft: syntax error"):
        converge(project, YES)

    assert modes(remote) == ["apply"]
    assert json.loads(remote.the("audit").arguments[0])["result"] == "failed"


def lock_out(monkeypatch: pytest.MonkeyPatch, remote: FakeRemote) -> None:
    """Let the first login succeed and refuse the second."""
    logins = 0

    @contextmanager
    def open_session(*_: object, **__: object) -> Iterator[FakeRemote]:
        nonlocal logins
        logins += 1
        if logins > 1:
            raise DeployError("web1 does not let core in", "check SSH_KEYS")
        yield remote

    monkeypatch.setattr(session, "open_session", open_session)


def test_when_the_new_login_fails_everything_is_undone(
    project: Project, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_out(monkeypatch, remote)

    with pytest.raises(DeployError) as failed:
        converge(project, YES)

    assert modes(remote) == ["apply", "put-back"]
    assert failed.value.message.splitlines() == [
        "web1 does not let core in",
        "all changes on the node were undone",
    ]


def test_when_undoing_fails_too_the_message_says_that_the_node_does_it(
    project: Project, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_out(monkeypatch, remote)
    remote.answers["converge"] = refuse_undoing

    with pytest.raises(DeployError, match="the node undoes them itself within 60 s"):
        converge(project, YES)


def test_a_plan_that_changed_while_waiting_for_the_lock_is_not_carried_out(
    project: Project, remote: FakeRemote
) -> None:
    inspection = matching(spec_from_settings(project).machine)
    remote.answers["inspect"] = [
        absent(inspection, HOSTNAME),
        with_mode(inspection, HOSTNAME, "600"),
    ]
    remote.answers["lock"] = "waited\n"

    with pytest.raises(DeployError, match="changed while this command waited for the lock"):
        converge(project, YES)

    assert not remote.all_of("converge")
