"""`fab rebuild` installs a machine and then deploys the app to it as a first release."""

from pathlib import Path
from typing import Any

import pytest

from deploy.app.deploy import DeployOptions
from deploy.errors import DeployError
from deploy.machine import rebuild
from deploy.machine.install.plan.options import Installation
from deploy.project import Project
from tests.unit.deploy.examples import settings


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was done, in order, with what matters of it."""
    done: list[tuple[str, Any]] = []

    def install(_: Project, host: str, *__: object, **___: object) -> None:
        done.append(("install", host))

    def deploy(project: Project, options: DeployOptions) -> None:
        done.append(("deploy", (project.settings.node_address, options.first)))

    def status(*_: object, **__: object) -> int:
        done.append(("status", None))
        return 2

    monkeypatch.setattr(rebuild, "install", install)
    monkeypatch.setattr(rebuild, "deploy", deploy)
    monkeypatch.setattr(rebuild, "status", status)
    return done


def test_the_app_is_deployed_to_the_installed_machine_and_its_status_is_the_exit_code(
    tmp_path: Path, steps: list[tuple[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project(tmp_path, settings(NODE_ADDRESS="web1"))

    code = rebuild.rebuild(project, "core@192.0.2.7:2222", Installation("/dev/sda"))

    assert code == 2
    assert steps == [
        ("install", "core@192.0.2.7:2222"),
        ("deploy", ("192.0.2.7", True)),
        ("status", None),
    ]
    assert "192.0.2.7 rebuilt in 0.0 minutes" in capsys.readouterr().out


def test_nothing_is_deployed_when_the_installation_fails(
    tmp_path: Path, steps: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DeployError("nothing was written, for 1 reason")

    monkeypatch.setattr(rebuild, "install", fail)

    with pytest.raises(DeployError, match="nothing was written"):
        rebuild.rebuild(Project(tmp_path, settings()), "192.0.2.7", Installation("/dev/sda"))

    assert steps == []
