"""A machine that follows a registry carries what sends its notifications."""

import json
from pathlib import Path

import pytest

from butane.files import carried_files
from certs.detached import public_key, public_pem
from certs.keyfile import new_key
from deploy.project import Project
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import render
from tests.unit.deploy.examples import settings

URL = "https://hooks.example.org/s3cr3t"
PULL = "registry.example.org/shop/www:live"
CARRIED = {
    "/etc/corefab/notify/lib.sh",
    "/etc/corefab/notify/notify.sh",
    "/etc/corefab/notify/settings.json",
    "/etc/systemd/system/corefab-notify.service",
    "/etc/systemd/system/corefab-notify.timer",
}


@pytest.mark.parametrize(
    ("own", "carried"),
    [
        ({"PULL": PULL, "NOTIFY_URL": URL}, CARRIED),
        ({"PULL": PULL}, set()),
        ({"NOTIFY_URL": URL}, set()),
        ({"PULL": PULL, "NOTIFY_URL": URL, "PULL_MODE": "off"}, set()),
    ],
)
def test_the_settings_decide(tmp_path: Path, own: dict[str, str], carried: set[str]) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/publish.pub").write_bytes(public_pem(public_key(new_key())))
    ignition = render(Project(tmp_path, settings(NODE_ADDRESS="web1", **own))).compiled.ignition

    files = {one.path: one.content for one in carried_files(ignition)}
    assert {path for path in files if "notify" in path} == carried
    assert ("corefab-notify.timer" in read_machine(ignition).enabled) == bool(carried)
    assert not any(b"s3cr3t" in content for content in files.values())
    if carried:
        found = json.loads(files["/etc/corefab/notify/settings.json"])
        assert found == {"app": "shop-www", "node": "web1", "format": "json"}
