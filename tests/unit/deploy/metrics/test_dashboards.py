"""The dashboard and the alert rules know the metrics of nodes; alerts fire when they shall."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import fabfile
from deploy.node.script import script_text
from tests.ports import free_port
from tests.root import ROOT
from tests.system.debian import fetched
from tests.system.outside import until

DASHBOARDS = ROOT / "deploy/observe/dashboards"
RULES = DASHBOARDS / "corefab.rules.yml"
DASHBOARD = json.loads((DASHBOARDS / "corefab.grafana.json").read_text())
DAY = 86400
# Of each alert: a node on which it fires after ten hours, and one on which it does not.
CASES: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "CorefabNodeSilent": (
        {'corefab_metrics_timestamp_seconds{instance="a"}': "0+60x590 stale"},
        {'corefab_metrics_timestamp_seconds{instance="a"}': "0+60x700"},
    ),
    "CorefabNodeDoesNotAnswer": (
        {'corefab_node_answers{node="a"}': "1x590 0x100"},
        {'corefab_node_answers{node="a"}': "1x596 0x1 1x100"},
    ),
    "CorefabAppDown": (
        {
            'corefab_slot_serving{app="www",slot="blue"}': "1x700",
            'corefab_slot_state{app="www",slot="blue",state="active"}': "1x590 0x100",
            'corefab_slot_state{app="www",slot="blue",state="failed"}': "0x590 1x100",
        },
        {
            'corefab_slot_serving{app="www",slot="blue"}': "1x700",
            'corefab_slot_serving{app="www",slot="green"}': "0x700",
            'corefab_slot_state{app="www",slot="blue",state="active"}': "1x700",
            'corefab_slot_state{app="www",slot="green",state="active"}': "0x700",
        },
    ),
    "CorefabFrontDoorClosed": (
        {'corefab_front_door_open{app="www"}': "1x590 0x100"},
        {'corefab_front_door_open{app="www"}': "1x598 0x1 1x100"},
    ),
    "CorefabWorkersUnhealthy": (
        {
            'corefab_workers{app="www",slot="blue"}': "2x700",
            'corefab_workers_healthy{app="www",slot="blue"}': "2x590 1x100",
        },
        {
            'corefab_workers{app="www",slot="blue"}': "2x700",
            'corefab_workers_healthy{app="www",slot="blue"}': "2x597 1x1 2x100",
        },
    ),
    "CorefabRestarts": (
        {'corefab_slot_restarts_total{app="www",slot="blue"}': "0x570 0+1x100"},
        {'corefab_slot_restarts_total{app="www",slot="blue"}': "0x570 1x100"},
    ),
    "CorefabDeployUnfinished": (
        {'corefab_deploy_unfinished{app="www"}': "0x560 1x100"},
        {'corefab_deploy_unfinished{app="www"}': "0x590 1x100"},
    ),
    "CorefabMaintenance": (
        {'corefab_maintenance{app="www"}': "0x300 1x400"},
        {'corefab_maintenance{app="www"}': "0x500 1x200"},
    ),
    "CorefabChangeFailed": (
        {
            'corefab_metrics_timestamp_seconds{instance="a"}': "0+60x700",
            'corefab_changes_total{instance="a",app="www",what="deploy",result="failed"}': (
                "_x580 1x100"
            ),
        },
        {
            'corefab_metrics_timestamp_seconds{instance="a"}': "0+60x700",
            'corefab_changes_total{instance="a",app="www",what="deploy",result="failed"}': (
                "_x400 1x300"
            ),
            'corefab_changes_total{instance="a",app="www",what="deploy",result="ok"}': (
                "_x580 1x100"
            ),
        },
    ),
    "CorefabUpdateRefused": (
        {'corefab_pull_info{app="www",result="held-back"}': "_x570 1x100"},
        {'corefab_pull_info{app="www",result="same"}': "1x700"},
    ),
    "CorefabRegistryUnreachable": (
        {'corefab_pull_info{app="www",result="unreachable"}': "_x200 1x500"},
        {'corefab_pull_info{app="www",result="unreachable"}': "_x500 1x200"},
    ),
    "CorefabCertificateExpires": (
        {'corefab_certificate_expiry_timestamp_seconds{app="www"}': f"{10 * DAY}x700"},
        {'corefab_certificate_expiry_timestamp_seconds{app="www"}': f"{20 * DAY}x700"},
    ),
    "CorefabCertificateExpiresSoon": (
        {'corefab_certificate_expiry_timestamp_seconds{app="www"}': f"{2 * DAY}x700"},
        {'corefab_certificate_expiry_timestamp_seconds{app="www"}': f"{10 * DAY}x700"},
    ),
    "CorefabCredentialDoesNotOpen": (
        {'corefab_credential_opens{app="www",credential="cert_pass"}': "1x590 0x100"},
        {'corefab_credential_opens{app="www",credential="cert_pass"}': "1x700"},
    ),
    "CorefabUnitsFailed": (
        {"corefab_failed_units": "0x580 1x100"},
        {"corefab_failed_units": "0x580 1x5 0x100"},
    ),
    "CorefabDiskFull": (
        {
            'corefab_filesystem_size_bytes{path="/var"}': "1000x700",
            'corefab_filesystem_available_bytes{path="/var"}': "50x700",
        },
        {
            'corefab_filesystem_size_bytes{path="/var"}': "1000x700",
            'corefab_filesystem_available_bytes{path="/var"}': "200x700",
        },
    ),
    "CorefabInodesFull": (
        {
            'corefab_filesystem_inodes{path="/var"}': "1000x700",
            'corefab_filesystem_inodes_free{path="/var"}': "50x700",
        },
        {
            'corefab_filesystem_inodes{path="/var"}': "1000x700",
            'corefab_filesystem_inodes_free{path="/var"}': "200x700",
        },
    ),
    "CorefabMemoryShort": (
        {
            "corefab_memory_size_bytes": "1000x700",
            "corefab_memory_available_bytes": "400x700",
            'corefab_pressure_seconds_total{resource="memory",tasks="full"}': "0+20x700",
        },
        {
            "corefab_memory_size_bytes": "1000x700",
            "corefab_memory_available_bytes": "400x700",
            'corefab_pressure_seconds_total{resource="memory",tasks="full"}': "0+1x700",
            'corefab_pressure_seconds_total{resource="cpu",tasks="full"}': "0+20x700",
        },
    ),
    "CorefabClockWrong": (
        {"corefab_clock_offset_seconds": "-3x700", "corefab_clock_synchronized": "1x700"},
        {"corefab_clock_offset_seconds": "-0.01x700", "corefab_clock_synchronized": "1x700"},
    ),
    "CorefabExportStuck": (
        {'corefab_otlp_timestamp_seconds{signal="logs"}': "0+60x550 33000x100"},
        {'corefab_otlp_timestamp_seconds{signal="logs"}': "0+60x700"},
    ),
}

# What else has to fire, or must not: the other halves of rules that have an `or`.
MORE: tuple[tuple[str, bool, Mapping[str, str]], ...] = (
    (
        "CorefabNodeDoesNotAnswer",
        True,
        # Eight hours ago, when nothing that the node wrote counts any more.
        {
            'up{job="corefab",instance="a"}': "1x100 0x600",
            'corefab_metrics_timestamp_seconds{job="corefab",instance="a"}': "0+60x100 stale",
        },
    ),
    ("CorefabNodeDoesNotAnswer", False, {'up{job="node",instance="a"}': "0x700"}),
    (
        "CorefabRestarts",
        True,
        {'corefab_worker_restarts_total{app="www",slot="blue"}': "0x570 0+1x100"},
    ),
    (
        "CorefabChangeFailed",
        True,
        {'corefab_changes_total{app="www",what="deploy",result="failed"}': "1x580 2x100"},
    ),
    (
        "CorefabMemoryShort",
        True,
        {"corefab_memory_size_bytes": "1000x700", "corefab_memory_available_bytes": "30x700"},
    ),
    ("CorefabClockWrong", True, {"corefab_clock_synchronized": "1x500 0x200"}),
)


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def alerts() -> list[str]:
    return [rule["alert"] for rule in rules()]


def named(text: str) -> set[str]:
    """List the metrics that a text names."""
    return set(re.findall(r"\bcorefab_[a-z_]+[a-z]", text))


def made() -> set[str]:
    """List the metrics that nodes, and `fab metrics`, write."""
    scripts = (script_text(one) for one in ("metrics", "otlp"))
    own = (ROOT / "deploy/metrics/metrics.py").read_text()
    return named("\n".join((*scripts, own)))


def expressions(one: object) -> list[str]:
    """List the expressions of a dashboard, wherever they are."""
    if isinstance(one, dict):
        here = [text for key, text in one.items() if key in ("expr", "query") and text]
        deeper = [text for value in one.values() for text in expressions(value)]
        return [text for text in here if isinstance(text, str)] + deeper
    return [text for value in one for text in expressions(value)] if isinstance(one, list) else []


def prometheus(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    tree = fetched("prometheus", ("prometheus",), "usr/bin/promtool")
    return subprocess.run(
        [tree / "usr/bin" / program, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("text", [RULES.read_text(), "\n".join(expressions(DASHBOARD))])
def test_no_other_metric_is_asked_for_than_nodes_write(text: str) -> None:
    known = made()

    assert named(text) - known == set()
    assert len(named(text)) > 15
    assert named(text.replace("corefab_failed_units", "corefab_failed_unit")) - known


def test_panels_of_the_dashboard_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_has_a_case() -> None:
    assert sorted(alerts()) == sorted(CASES)


@pytest.mark.parametrize("rule", rules(), ids=alerts())
def test_an_alert_waits_has_a_severity_and_says_what_to_type(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    commands = re.findall(r"`fab ([a-z-]+)", summary)

    assert re.fullmatch(r"[1-9][0-9]*[mh]", rule["for"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert re.search(r"\$labels\.(app|node)\b", summary)
    assert commands or re.search(r"`[a-z]+ [^`]+` on the node$", summary)
    assert set(commands) <= set(fabfile.ns.task_names)


@pytest.mark.program
def test_promtool_accepts_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    found = [one for one in expressions(DASHBOARD) if not one.startswith(("label_values", "prom"))]

    assert checked_as_rules(tmp_path, found).returncode == 0
    assert len(found) > len(DASHBOARD["panels"])
    assert checked_as_rules(tmp_path, [*found, found[0] + ")"]).returncode != 0


def checked_as_rules(folder: Path, found: list[str]) -> subprocess.CompletedProcess[str]:
    """Have promtool read expressions, each as one that is recorded under a name."""
    records = [{"record": f"panel:{i}", "expr": one} for i, one in enumerate(found)]
    (folder / "panels.json").write_text(json.dumps({"groups": [{"name": "x", "rules": records}]}))
    return prometheus("promtool", "check", "rules", folder / "panels.json")


@pytest.mark.program
def test_promtool_accepts_the_rules() -> None:
    done = prometheus("promtool", "check", "rules", "--lint-fatal", RULES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.program
def test_each_alert_fires_when_it_shall_and_at_no_other_time(tmp_path: Path) -> None:
    both = [
        (alert, fires, series)
        for alert, cases in CASES.items()
        for fires, series in zip((True, False), cases, strict=True)
    ]
    files = [cases_of(tmp_path, rule, [*both, *MORE]) for rule in rules()]

    done = prometheus("promtool", "test", "rules", *files)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(files)


def cases_of(
    folder: Path, rule: dict[str, Any], cases: Sequence[tuple[str, bool, Mapping[str, str]]]
) -> Path:
    """Have promtool count an alert after ten hours; with its rule alone, which is quicker."""
    alert = rule["alert"]
    alone = folder / f"{alert}.rules"
    alone.write_text(json.dumps({"groups": [{"name": alert, "rules": [rule]}]}))
    tests = [
        {
            "interval": "1m",
            "name": f"{alert} {'fires' if fires else 'does not fire'}",
            "input_series": [{"series": one, "values": text} for one, text in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                    "eval_time": "10h",
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                }
            ],
        }
        for name, fires, series in cases
        if name == alert
    ]
    file = folder / f"{alert}.tests"
    common = {"rule_files": [str(alone)], "evaluation_interval": "1m"}
    file.write_text(json.dumps(common | {"tests": tests}))
    return file


@pytest.mark.program
@pytest.mark.loopback
def test_a_real_prometheus_loads_the_rules_and_evaluates_each(tmp_path: Path) -> None:
    tree = fetched("prometheus", ("prometheus",), "usr/bin/promtool")
    settings = {"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)]}
    (tmp_path / "prometheus.json").write_text(json.dumps(settings))
    at = f"127.0.0.1:{free_port()}"
    words: list[str | Path] = [
        tree / "usr/bin/prometheus",
        f"--config.file={tmp_path / 'prometheus.json'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={at}",
    ]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            until(lambda: "yes" if len(evaluated(at)) == len(CASES) else "", "every rule")
            assert set(evaluated(at).values()) == {"ok"}
        finally:
            process.terminate()


def evaluated(at: str) -> dict[str, str]:
    """Read the health of the rules that were evaluated."""
    try:
        with urllib.request.urlopen(f"http://{at}/api/v1/rules", timeout=10) as answer:
            groups = json.load(answer)["data"]["groups"]
    except OSError:
        return {}
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule["name"]: rule["health"] for rule in rules if rule["health"] != "unknown"}
