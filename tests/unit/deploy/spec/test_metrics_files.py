"""A machine with METRICS=on carries what writes its metrics, and what sends them."""

import json
from pathlib import Path

import pytest

from butane.files import carried_files
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.plan.act import Act, acts_at
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import render
from tests.unit.deploy.examples import settings

WRITES = {
    "/etc/corefab/metrics/lib.sh",
    "/etc/corefab/metrics/metrics.sh",
    "/etc/systemd/system/corefab-metrics.service",
}
SENDS = {
    "/etc/corefab/otlp/lib.sh",
    "/etc/corefab/otlp/otlp.sh",
    "/etc/corefab/otlp/settings.json",
    "/etc/systemd/system/corefab-otlp.service",
}
ENDPOINT = "https://otlp.example.org"


def carried(folder: Path, made: Settings) -> dict[str, bytes]:
    """Give the files of the machine that have to do with metrics."""
    ignition = render(Project(folder, made)).compiled.ignition
    return {
        one.path: one.content
        for one in carried_files(ignition)
        if "metrics" in one.path or "otlp" in one.path
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, set()),
        ({"METRICS": "on"}, WRITES),
        ({"METRICS": "on", "OTLP_ENDPOINT": ENDPOINT}, WRITES | SENDS),
    ],
)
def test_the_settings_decide(tmp_path: Path, values: dict[str, str], expected: set[str]) -> None:
    made = settings(**values)

    assert carried(tmp_path, made).keys() == expected
    enabled = read_machine(render(Project(tmp_path, made)).compiled.ignition).enabled
    for name in ("metrics", "otlp"):
        unit = f"corefab-{name}.service"
        assert (unit in enabled) == (f"/etc/systemd/system/{unit}" in expected)


def test_what_sends_knows_where_to_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("a root")
    made = settings(
        METRICS="on", OTLP_ENDPOINT=ENDPOINT, OTLP_HEADERS="a=hunter2", OTLP_ROOT="root.pem"
    )

    found = carried(tmp_path, made)

    own = json.loads(found["/etc/corefab/otlp/settings.json"])
    assert own == {"endpoint": ENDPOINT, "send": ["logs", "metrics"], "app": "shop-www"}
    assert found["/etc/corefab/otlp/root.crt"] == b"a root"
    rendered = render(Project(tmp_path, made))
    assert not [path for path, content in found.items() if b"hunter2" in content]
    # The machine sends, no container.
    assert b"otlp_headers" not in rendered.sources.templates["app/blue.container"]


def test_without_headers_no_credential_is_opened(tmp_path: Path) -> None:
    found = carried(tmp_path, settings(METRICS="on", OTLP_ENDPOINT=ENDPOINT))

    assert "app" not in json.loads(found["/etc/corefab/otlp/settings.json"])


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    made = settings(METRICS="on", OTLP_ENDPOINT=ENDPOINT, OTLP_ROOT="none.pem")

    with pytest.raises(DeployError, match=r"OTLP_ROOT names .*none\.pem, which is not there"):
        carried(tmp_path, made)


def test_the_proxy_gets_the_metrics_where_it_serves_them(tmp_path: Path) -> None:
    made = {"TLS": "proxy", "METRICS": "on"}
    served = b"Environment=METRICS_SERVED=/run/corefab/proxy/metrics\n"
    unit = "/etc/systemd/system/corefab-metrics.service"

    assert served not in carried(tmp_path, settings(**made))[unit]
    scraped = settings(**made, METRICS_PATH="/m", METRICS_FROM=("192.0.2.1/32",))
    assert served in carried(tmp_path, scraped)[unit]


@pytest.mark.parametrize("path", sorted(SENDS))
def test_a_change_starts_what_sends_again(tmp_path: Path, path: str) -> None:
    made = settings(METRICS="on", OTLP_ENDPOINT=ENDPOINT)
    machine = read_machine(render(Project(tmp_path, made)).compiled.ignition)

    assert Act("restart", "corefab-otlp.service") in tuple(acts_at(path, machine))
