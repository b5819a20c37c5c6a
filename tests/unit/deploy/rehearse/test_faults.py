"""A fault is injected into a worker of the sample app, which is watched until it recovers."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.rehearse import faults
from tests.clock import Clock
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings(NODE_ADDRESS="web1"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(faults, "time", made)
    return made


def worker(state: str, restarts: int, *reasons: str) -> str:
    web = {"name": "web", "state": state, "last_sign": 1.0, "restarts": restarts}
    return json.dumps({"state": state, "workers": [web | {"reasons": reasons}]})


def test_each_change_is_printed_until_the_worker_is_healthy_again(
    remote: FakeRemote, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    hung = [worker("hung", 0)] * 3
    remote.answers["workers"] = [worker("healthy", 0), *hung, worker("healthy", 1, "it hung")]

    faults.rehearse_fault(PROJECT, fault="hang", worker="web")

    assert remote.scripts[:2] == ["workers", "fault"]
    assert remote.the("fault").arguments == ("shop-www", "web", "hang")
    *watched, last = capsys.readouterr().out.splitlines()
    assert [line.split("s  ")[1] for line in watched] == [
        *("web is hung, restarted 0 times", "web is healthy, restarted 1 times")
    ]
    assert last == "✓ web is healthy again: it hung"
    assert clock.slept > 0


def test_a_worker_that_is_not_restarted_is_given_up(remote: FakeRemote, clock: Clock) -> None:
    remote.answers["workers"] = worker("healthy", 0)

    with pytest.raises(DeployError, match="web was not restarted within 180 s of leak=1"):
        faults.rehearse_fault(PROJECT, fault="leak=1", worker="web")

    assert clock.slept >= 180


def test_an_unknown_fault_is_refused_before_the_login(remote: FakeRemote) -> None:
    with pytest.raises(DeployError, match="unknown fault 'fire'") as caught:
        faults.rehearse_fault(PROJECT, fault="fire", worker="web")

    assert "hang, crash" in caught.value.hint
    assert remote.scripts == []


@pytest.mark.parametrize("answer", ["null\n", worker("healthy", 0)])
def test_an_unknown_worker_is_refused_before_the_fault(remote: FakeRemote, answer: str) -> None:
    remote.answers["workers"] = answer

    with pytest.raises(DeployError, match="no worker called mail"):
        faults.rehearse_fault(PROJECT, fault="hang", worker="mail")

    assert remote.scripts == ["workers"]


def test_an_app_other_than_the_sample_is_named(remote: FakeRemote) -> None:
    remote.answers |= {"workers": worker("healthy", 0), "fault": refusal("No module named ...")}

    with pytest.raises(DeployError, match="No module named") as caught:
        faults.rehearse_fault(PROJECT, fault="hang", worker="web")

    assert caught.value.hint == "only the sample app can inject faults"
