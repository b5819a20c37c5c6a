"""A machine with an app that follows a tag has a key and a status page for those that are named."""

import json
from pathlib import Path

import pytest

from certs.detached import public_key, public_pem
from certs.errors import CertError
from certs.keyfile import new_key
from deploy.project import Project
from deploy.spec.carried import PULL_SCRIPTS, STATUS_SCRIPTS, carried_scripts
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import app_files, render
from deploy.spec.spec import spec_from_settings
from deploy.spec.status_files import read_status_files
from tests.unit.deploy.examples import settings
from tests.unit.deploy.machine.drift.node import KEY
from tests.unit.deploy.page.pages import holder

UNITS = {"corefab-node-key.service", "corefab-status.timer"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/publish.pub").write_bytes(public_pem(public_key(new_key())))
    (tmp_path / "me.pub").write_text(f"{KEY}\n")
    return Project(tmp_path, settings(PULL="registry.example.org/shop/www:live", SSH_KEYS="me.pub"))


def carried(project: Project) -> set[str]:
    """List the files below a machine's status folder, and its units."""
    ignition = render(project).compiled.ignition
    machine = read_machine(ignition)
    folder = "/etc/corefab/status/"
    paths = {one["path"] for one in json.loads(ignition)["storage"]["files"]}
    files = {one.removeprefix(folder) for one in paths if one.startswith(folder)}
    return files | (UNITS & set(machine.enabled))


def test_a_certificate_is_carried_for_each_operator(project: Project) -> None:
    scripts = {"lib.sh", *(f"{name}.sh" for name in STATUS_SCRIPTS)}
    assert carried(project) == {*scripts, *UNITS}
    project.operator.write_bytes(holder("operator").pem + b"\n" + holder("colleague").pem)

    assert carried(project) == {*scripts, "question", "operator-0.crt", "operator-1.crt", *UNITS}

    files = read_status_files(project)
    assert files["operator-1.crt"] == holder("colleague").pem


def test_the_page_for_drift_looks_at_the_whole_spec_but_what_releases_have(
    project: Project,
) -> None:
    project.operator.write_bytes(holder("operator").pem)

    machine = spec_from_settings(project).machine

    (question,) = (one for one in machine.places if one.path == "/etc/corefab/status/question")
    asked = question.text.splitlines()
    assert f"path {question.path}" in asked
    of_the_app = {f"path {file.path}" for file in app_files(render(project))}
    assert of_the_app
    assert {*asked, *of_the_app} == machine.question
    assert not of_the_app & set(asked)


@pytest.mark.parametrize("values", [{"PULL": ""}, {"PULL_MODE": "off"}])
def test_a_machine_without_pull_has_neither(project: Project, values: dict[str, str]) -> None:
    usual = {"PULL": "registry.example.org/shop/www:live"}
    assert carried(Project(project.folder, settings(**usual | values))) == set()


@pytest.mark.parametrize("content", [b"", b"hello", holder("operator").pem[:-60]], ids=[1, 2, 3])
def test_what_is_no_certificate_is_named(project: Project, content: bytes) -> None:
    project.operator.write_bytes(content)

    with pytest.raises(CertError, match=r"operator\.crt"):
        read_status_files(project)


def test_the_library_is_the_same_for_the_updater_and_the_page() -> None:
    page, updater = carried_scripts(STATUS_SCRIPTS), carried_scripts(PULL_SCRIPTS)

    assert page["lib.sh"] == updater["lib.sh"]
    assert page["lib.sh"].count(b"\nhome_of() {") == 1
