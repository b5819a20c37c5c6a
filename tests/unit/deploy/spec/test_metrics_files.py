"""A machine with METRICS=on carries what writes its metrics."""

import json
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import render
from tests.unit.deploy.examples import settings

CARRIED = {
    "/etc/corefab/metrics/lib.sh",
    "/etc/corefab/metrics/metrics.sh",
    "/etc/systemd/system/corefab-metrics.service",
}


@pytest.mark.parametrize(("chosen", "carried"), [("on", CARRIED), ("off", set())])
def test_the_setting_decides(tmp_path: Path, chosen: str, carried: set[str]) -> None:
    ignition = render(Project(tmp_path, settings(METRICS=chosen))).compiled.ignition

    paths = {one["path"] for one in json.loads(ignition)["storage"]["files"]}
    assert {path for path in paths if "metrics" in path} == carried
    enabled = "corefab-metrics.service" in read_machine(ignition).enabled
    assert enabled == bool(carried)
