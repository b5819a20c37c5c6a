"""A node sends its journal and its metrics to an endpoint, each line once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.outside import until
from tests.system.project import Project
from tests.unit.deploy.metrics.receiver import CUT, Receiver, certified, listening

pytestmark = pytest.mark.node
TOKEN = "a-token-for-an-endpoint"


@pytest.fixture
def receiver(serving: Project, tmp_path: Path) -> Iterator[Receiver]:
    """Have the node send to an endpoint on this machine; afterwards it does not."""
    root, context = certified(tmp_path, serving.gateway)
    with listening(Receiver(address=serving.gateway), context) as found:
        chosen = {
            "METRICS": "on",
            "OTLP_ENDPOINT": found.url.replace("http:", "https:"),
            "OTLP_HEADERS": f"Authorization=Bearer%20{TOKEN}",
            "OTLP_ROOT": str(root),
        }
        # It brings the credential.
        serving.must("deploy", **chosen)
        serving.must("converge", "--yes", **chosen)
        yield found
        serving.must("converge", "--yes", METRICS="off", OTLP_ENDPOINT="", OTLP_HEADERS="")
        serving.must("deploy")
    assert "inactive" in serving.ssh("systemctl is-active corefab-otlp.service || true")
    serving.ssh("rm -rf /var/lib/corefab/otlp /run/corefab/otlp /run/corefab/metrics.d/otlp.prom")


def say(project: Project, text: str) -> None:
    project.ssh(f"logger --tag ways-out '{text}'; journalctl --sync")


def arrived(receiver: Receiver, text: str) -> None:
    until(lambda: "yes" if text in receiver.texts else "", text)


@pytest.mark.slow
def test_after_an_outage_every_line_of_a_node_is_there_once(
    receiver: Receiver, serving: Project
) -> None:
    app = f"{serving.settings['PROJECT']}-www"
    say(serving, "before")
    arrived(receiver, "before")
    receiver.answers = [503, CUT, 503]
    say(serving, "during")
    until(lambda: "" if receiver.answers else "yes", "three requests that fail")
    serving.ssh("systemctl restart corefab-otlp.service")
    say(serving, "after")
    arrived(receiver, "after")

    texts = [one for one in receiver.texts if one in {"before", "during", "after"}]
    assert texts == ["before", "during", "after"]
    ids = [one["log.record.uid"] for one in receiver.records]
    assert len(ids) == len(set(ids))
    assert app in {one["resource"]["service.name"] for one in receiver.records}
    tokens = {headers.get("Authorization") for _, _, headers, _ in receiver.seen}
    assert tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in serving.ssh("journalctl -q -o cat -u corefab-otlp.service")
    # What it says of itself: that it could not send, and that it can.
    assert "sent to https://" in serving.ssh("journalctl -q -o cat -u corefab-otlp.service")


def test_the_metrics_of_a_node_arrive(receiver: Receiver, serving: Project) -> None:
    app = f"{serving.settings['PROJECT']}-www"
    until(lambda: "yes" if receiver.accepted("metrics") else "", "metrics")

    (scope,) = receiver.accepted("metrics")[0]["resourceMetrics"][0]["scopeMetrics"]
    found = {one["name"]: one for one in scope["metrics"]}
    assert app in str(found["corefab_slot_serving"]["gauge"])
    assert found["corefab_cpu_seconds_total"]["sum"]["isMonotonic"] is True
    until(
        lambda: "yes" if "corefab_otlp_timestamp_seconds" in serving.must("metrics") else "",
        "the time of the last request",
    )
