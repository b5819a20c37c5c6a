"""A fault of the sample app is switched on, and the recovery of its worker shown."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.project import Project
from deploy.rehearse import faults
from deploy.rehearse.faults import rehearse_fault
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import Answer, FakeRemote, reach, refusal


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(faults, "_PAUSE_SECONDS", 0)
    return Project(tmp_path, settings())


def workers(state: str, restarts: int, *reasons: str) -> str:
    jobs = {"name": "jobs", "state": state, "last_sign": 0.1}
    jobs |= {"restarts": restarts, "reasons": reasons}
    return json.dumps({"state": "healthy", "workers": [jobs]})


def node(monkeypatch: pytest.MonkeyPatch, *said: Answer) -> FakeRemote:
    return reach(monkeypatch, FakeRemote({"workers": list(said)}))


def test_the_fault_is_switched_on_and_each_state_shown_once_until_the_worker_is_healthy(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = workers("healthy", 0)
    hangs = workers("hung", 0)
    again = workers("healthy", 1, "no heartbeat for 5 s")
    remote = node(monkeypatch, quiet, hangs, hangs, again)

    rehearse_fault(project, fault="hang", worker="jobs")

    assert remote.the("fault") == Command("fault", ("shop-www", "jobs", "hang"))
    shown = [line.partition(" s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["jobs is hung, restarted 0 times", "jobs is healthy, restarted 1 times", ""]


def test_the_reason_of_the_restart_is_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node(monkeypatch, workers("healthy", 0), workers("healthy", 1, "exit code 3"))

    rehearse_fault(project, fault="crash", worker="jobs")

    assert "✓ jobs is healthy again: exit code 3" in capsys.readouterr().out


def test_an_unknown_fault_is_refused_before_the_node_is_reached(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = node(monkeypatch, workers("healthy", 0))

    with pytest.raises(DeployError, match="unknown fault 'explode'"):
        rehearse_fault(project, fault="explode", worker="jobs")
    assert remote.commands == []


@pytest.mark.parametrize("said", [workers("healthy", 0), "null"])
def test_an_unknown_worker_is_refused_and_nothing_is_switched_on(
    said: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = node(monkeypatch, said)

    with pytest.raises(DeployError, match="shop-www has no worker mail"):
        rehearse_fault(project, fault="hang", worker="mail")
    assert remote.all_of("fault") == []


def test_an_app_that_cannot_fail_on_request_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = node(monkeypatch, workers("healthy", 0))
    remote.answers["fault"] = refusal("no such switch")

    with pytest.raises(DeployError, match="switching on hang in shop-www failed") as refused:
        rehearse_fault(project, fault="hang", worker="jobs")
    assert refused.value.hint == "only the sample app can fail on request"


def test_a_worker_that_is_never_restarted_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_LONGEST_SECONDS", 0)
    node(monkeypatch, workers("healthy", 0))

    with pytest.raises(DeployError, match="jobs was not restarted within 0 s of leak=1"):
        rehearse_fault(project, fault="leak=1", worker="jobs")
