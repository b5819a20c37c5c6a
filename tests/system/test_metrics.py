"""A machine writes facts of itself every 15 s, starting no podman, and `fab metrics` shows them."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from deploy.metrics.plan.exposition import read_metrics
from tests.system.debian import fetched
from tests.system.project import Project

pytestmark = pytest.mark.node
FILE = "/run/corefab/metrics/corefab.prom"
PATIENCE_SECONDS = 120


@pytest.fixture
def writing(serving: Project) -> Iterator[Project]:
    """Have the node write its metrics; afterwards it does not."""
    serving.must("converge", "--yes", METRICS="on")
    yield serving
    serving.must("converge", "--yes", METRICS="off")
    serving.ssh(f"rm -f /run/corefab/metrics.d/jobs.prom {FILE}")
    assert "inactive" in serving.ssh("systemctl is-active corefab-metrics.service || true")


def values(text: str) -> dict[tuple[str, ...], float]:
    """Give each value by its metric and its labels' values, without the node's."""
    return {
        (one.name, *(value for name, value in one.labels.items() if name != "node")): float(
            one.value
        )
        for family in read_metrics(text)
        for one in family.samples
    }


def test_a_node_writes_its_metrics_and_starts_no_podman(writing: Project) -> None:
    app = f"{writing.settings['PROJECT']}-www"
    first = written(writing, after=0.0)
    writing.ssh("printf 'jobs_left 3\\n' >/run/corefab/metrics.d/jobs.prom")
    second = written(writing, after=first["corefab_metrics_timestamp_seconds",])

    # Other tests leave apps of their own on this node.
    (slot,) = (
        key[2]
        for key, value in second.items()
        if key[:2] == ("corefab_slot_serving", app) and value
    )
    assert second["corefab_slot_state", app, slot, "active"] == 1
    assert second["corefab_slot_cpu_seconds_total", app, slot] > 0
    assert second["corefab_workers", app, slot] == second["corefab_workers_healthy", app, slot] == 2
    assert second["corefab_front_door_open", app] == 1
    assert second["corefab_credential_opens", app, "cert_pass"] == 1
    assert second["corefab_changes_total", app, "deploy", "ok"] >= 1
    assert second["corefab_changes_total", "node", "converge", "ok"] >= 1
    assert second["corefab_certificate_expiry_timestamp_seconds", app, "server"] > time.time()
    assert second["corefab_last_change_timestamp_seconds", "node"] <= time.time() + 60
    assert second["corefab_pressure_seconds_total", "cpu", "some"] > 0
    assert second["corefab_failed_units",] == int(writing.ssh("systemctl show -P NFailedUnits"))
    assert second["jobs_left",] == 3
    assert writing.ssh("journalctl -q -o cat -p warning -u corefab-metrics.service") == ""


def test_the_metrics_are_as_prometheus_wants_them(serving: Project) -> None:
    tree = fetched("prometheus", ("prometheus",), "usr/bin/promtool")
    said = serving.must("metrics")

    done = subprocess.run(
        [tree / "usr/bin/promtool", "check", "metrics"],
        input=said, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert values(said)["corefab_node_answers",] == 1


def written(project: Project, *, after: float) -> dict[tuple[str, ...], float]:
    """Wait for metrics that the node itself has written later than those."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        said = project.ssh(f"cat {FILE} 2>/dev/null || true")
        found = values(said) if said else {}
        if found.get(("corefab_metrics_timestamp_seconds",), 0.0) > after:
            return found
        assert time.monotonic() < deadline, said
        time.sleep(1)
