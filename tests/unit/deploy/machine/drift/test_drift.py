"""`fab drift` compares the node with the spec that it was made from."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certs.detached import public_key, public_pem
from certs.keyfile import new_key
from deploy.errors import DeployError
from deploy.machine.drift.drift import drift
from deploy.page import fetch
from deploy.project import Project
from deploy.spec.spec import Spec, spec_from_settings
from deploy.workstation.state import save_spec
from tests.unit.deploy.examples import AUTHORITY_PASSWORD, settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal
from tests.unit.deploy.machine.drift.node import matching, project_in, with_mode
from tests.unit.deploy.notify.receivers import hook
from tests.unit.deploy.page.pages import AT, answering, give_keys, holder, packed, serving

HOSTNAME = "/etc/hostname"


def answer(remote: FakeRemote, spec: Spec, inspection: str = "") -> None:
    """Let the node be made from a spec; it matches that unless another inspection is given."""
    remote.answers["spec-hash"] = f"{spec.sha256}\n"
    remote.answers["inspect"] = inspection or matching(spec.machine).model_dump_json()


def test_a_node_that_matches_its_spec_has_no_drift(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_in(tmp_path)
    spec = spec_from_settings(project)
    save_spec(tmp_path, spec.sha256, spec.ignition)
    answer(remote, spec)

    assert drift(project, as_json=False) == 0

    assert remote.scripts == ["spec-hash", "inspect"]
    assert f"path {HOSTNAME}" in remote.the("inspect").stdin.decode().splitlines()
    assert "no drift: web1 matches its machine spec and release" in capsys.readouterr().out


def test_a_difference_is_listed_with_what_fixes_it(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_in(tmp_path)
    spec = spec_from_settings(project)
    answer(remote, spec, with_mode(matching(spec.machine), HOSTNAME, "666"))

    assert drift(project, as_json=True) == 2

    report = json.loads(capsys.readouterr().out)
    (found,) = report["findings"]
    assert (report["spec"], report["compared_with_spec"]) == (spec.sha256, spec.sha256)
    assert (found["what"], found["subject"], found["remedy"]) == ("mode", HOSTNAME, "fab converge")
    assert (found["expected"], found["found"]) == ("644", "666")
    assert found["since"] == "1970-01-01T00:00:20Z"


def test_a_node_is_compared_with_its_own_spec_and_not_with_changed_settings(
    tmp_path: Path, remote: FakeRemote
) -> None:
    spec = spec_from_settings(project_in(tmp_path))
    save_spec(tmp_path, spec.sha256, spec.ignition)
    answer(remote, spec)

    assert drift(project_in(tmp_path, NODE_HOSTNAME="renamed"), as_json=False) == 0


def test_without_the_nodes_spec_the_current_settings_are_compared_with_a_warning(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_in(tmp_path)
    remote.answers["spec-hash"] = "f" * 64
    remote.answers["inspect"] = matching(spec_from_settings(project).machine).model_dump_json()

    assert drift(project, as_json=False) == 0

    said = " ".join(capsys.readouterr().err.split())
    assert "the node's machine spec (ffffffffffff) is not in state/specs" in said


def test_a_node_that_cannot_be_inspected_is_quoted(tmp_path: Path, remote: FakeRemote) -> None:
    remote.answers["inspect"] = refusal("jq: not found")

    with pytest.raises(DeployError, match=r"inspecting the machine failed .*: jq: not found"):
        drift(project_in(tmp_path), as_json=False)


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Project]]:
    """Serve the page of a node without SSH where the mode of a file may be another."""
    values = {"NODE_ADDRESS": "127.0.0.1", "SSH": "off", "SSH_KEYS": "none-*.pub", "TLS": "none"}
    with contextlib.ExitStack() as stack:

        def serve(mode: str, age: int, **more: str) -> Project:
            own = settings(AUTHORITY_PASSWORD=AUTHORITY_PASSWORD, **values, **more)
            project = Project(tmp_path, own)
            give_keys(project)
            spec = spec_from_settings(project)
            found = with_mode(matching(spec.machine), HOSTNAME, mode)
            page = packed(answers={"spec-hash": f"{spec.sha256}\n", "inspect shop-www": found})
            body = holder("operator").seal(holder("node").sign(page))
            port = stack.enter_context(serving(answering("200 OK", body)))
            monkeypatch.setattr(fetch, "_PORT", port)
            monkeypatch.setattr(time, "time", lambda: AT + age)
            return project

        yield serve


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("mode", "age", "code"), [("644", 60, 0), ("644", 3600, 1), ("666", 60, 2), ("666", 3600, 2)]
)
def test_a_node_without_ssh_is_compared_by_its_page(
    closed: Callable[..., Project],
    capsys: pytest.CaptureFixture[str],
    mode: str,
    age: int,
    code: int,
) -> None:
    assert drift(closed(mode, age), as_json=True) == code

    findings = json.loads(capsys.readouterr().out)["findings"]
    changed = [(HOSTNAME, "reinstall")] if mode == "666" else []
    assert [(one["subject"], one["remedy"]) for one in findings] == changed


@pytest.mark.loopback
def test_on_a_node_that_takes_bundles_one_puts_a_file_right(
    tmp_path: Path, closed: Callable[..., Project], capsys: pytest.CaptureFixture[str]
) -> None:
    names = "PROJECT=shop\nIMAGE=localhost/www:1\nCERT_NAMES=example.org\n"
    (tmp_path / ".env").write_text(names)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/publish.pub").write_bytes(public_pem(public_key(new_key())))
    project = closed("666", 60, PULL="registry.example:5000/shop/www:live", PULL_NODE="shop1")

    assert drift(project, as_json=True) == 2

    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["subject"], found["remedy"]) == (HOSTNAME, "fab publish --node")


@pytest.mark.loopback
def test_drift_is_told_once_and_that_it_is_gone(tmp_path: Path, remote: FakeRemote) -> None:
    with hook() as receiver:
        project = project_in(tmp_path, NOTIFY_URL=receiver.url)
        spec = spec_from_settings(project)
        for inspection in ("", *(with_mode(matching(spec.machine), HOSTNAME, "666"),) * 2, ""):
            answer(remote, spec, inspection)
            drift(project, as_json=True)

    assert receiver.titles == [
        "web1 differs from its machine spec or release (1)",
        "web1: no drift any more",
    ]
    assert f"mode: {HOSTNAME}" in receiver.came[0].json["text"]
