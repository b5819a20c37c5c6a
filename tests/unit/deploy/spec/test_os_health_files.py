"""A machine with UPDATE_HEALTH_SECONDS carries what decides whether an update stays."""

from pathlib import Path

import pytest

from butane.files import carried_files
from certs.detached import public_key, public_pem
from certs.keyfile import new_key
from deploy.project import Project
from deploy.spec.plan.act import Act, acts_at
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import render
from tests.unit.deploy.examples import settings

UNIT = "/etc/systemd/system/corefab-os-health.service"
CARRIED = {"/etc/corefab/os-health/lib.sh", "/etc/corefab/os-health/os-health.sh", UNIT}
PULL = {"PULL": "registry.example.org/shop/www:live"}


@pytest.mark.parametrize(
    ("own", "carried"),
    [
        ({}, set()),
        ({"UPDATE_HEALTH_SECONDS": 300}, CARRIED),
        ({"UPDATE_HEALTH_SECONDS": 300, **PULL}, CARRIED),
    ],
)
def test_the_setting_decides(tmp_path: Path, own: dict[str, object], carried: set[str]) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/publish.pub").write_bytes(public_pem(public_key(new_key())))

    ignition = render(Project(tmp_path, settings(**own))).compiled.ignition

    files = {one.path: one.content for one in carried_files(ignition)}
    assert {path for path in files if "os-health" in path} == carried
    assert ("corefab-os-health.service" in read_machine(ignition).enabled) == bool(carried)
    if carried:
        assert b"/os-health.sh 300\n" in files[UNIT]


@pytest.mark.parametrize("path", sorted(CARRIED))
def test_a_change_starts_it_again(tmp_path: Path, path: str) -> None:
    made = Project(tmp_path, settings(UPDATE_HEALTH_SECONDS=300))
    machine = read_machine(render(made).compiled.ignition)

    assert Act("restart", "corefab-os-health.service") in tuple(acts_at(path, machine))
