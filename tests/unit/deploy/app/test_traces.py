"""A deploy is sent as a trace with a span for each step, and no endpoint changes how it ends."""

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.rollback import rollback
from deploy.errors import DeployError
from deploy.notify import trace as tracing
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.app.test_rollback import keeping
from tests.unit.deploy.fake_remote import refusal
from tests.unit.deploy.metrics.receiver import Receiver, attributes, listening

pytestmark = pytest.mark.loopback
SECRET = "Bearer t0p/secret+token"
_ID = {"traceId": 32, "spanId": 16}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as made:
        yield made


def sending(receiver: Receiver) -> dict[str, object]:
    return {
        "OTLP_ENDPOINT": receiver.url,
        "OTLP_SEND": "logs,traces",
        "OTLP_HEADERS": "Authorization=Bearer%20t0p/secret%2Btoken",
        "METRICS": "on",
    }


def spans(receiver: Receiver) -> list[dict[str, Any]]:
    (request,) = receiver.accepted("traces")
    ((scope,),) = (of["scopeSpans"] for of in request["resourceSpans"])
    return list(scope["spans"])


def test_a_deploy_is_a_span_and_each_step_one_below_it(shop: Shop, receiver: Receiver) -> None:
    shop.probed(shop.empty())

    deploy(shop.project(**sending(receiver)), DeployOptions(first=True))

    whole, *steps = spans(receiver)
    assert (whole["name"], whole["status"]) == ("deploy", {"code": 1})
    about = attributes(whole)
    assert (about["corefab.app"], about["corefab.result"]) == ("shop-www", "ok")
    assert "corefab.release.before" not in about
    names = [one["name"] for one in steps]
    assert names[:2] == ["stage", "image"]
    assert {"seal cert_pass", "start", "check", "move", "prove", "finish"} < set(names)
    for one in (whole, *steps):
        assert one["traceId"] == whole["traceId"]
        assert one.get("parentSpanId", whole["spanId"]) == whole["spanId"]
        for key, length in _ID.items():
            assert re.fullmatch(f"[0-9a-f]{{{length}}}", one[key])
        assert int(whole["startTimeUnixNano"]) <= int(one["startTimeUnixNano"])
        assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"])
        assert int(one["endTimeUnixNano"]) <= int(whole["endTimeUnixNano"])
    assert len({one["spanId"] for one in (whole, *steps)}) == len(steps) + 1
    assert receiver.seen[0][2]["Authorization"] == SECRET


def test_the_step_that_failed_says_why_and_shows_no_secret(shop: Shop, receiver: Receiver) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["start"] = refusal(f"no \x1b[31mstart: {SECRET[7:]}\nDB_PASSWORD=x")
    shop.remote.answers["undo"] = "r1\n"
    project = shop.project(**{"ENV_*": {"GREETING": "hello"}}, **sending(receiver))

    with pytest.raises(DeployError):
        deploy(project, DeployOptions())

    whole, *steps = spans(receiver)
    failed = {one["name"]: one["status"]["message"] for one in steps if one["status"]["code"] == 2}
    assert list(failed) == ["start"]
    assert failed["start"].endswith("no \\x1b[31mstart: ***")
    assert (whole["status"]["code"], attributes(whole)["corefab.result"]) == (2, "failed")
    assert [one["name"] for one in steps][-2:] == ["start", "undo"]
    body = receiver.seen[0][3].decode()
    assert "DB_PASSWORD" not in body
    assert "t0p" not in body
    # What the search would have found.
    assert "t0p" in SECRET


def test_an_undo_that_does_not_succeed_is_a_step_that_failed(
    shop: Shop, receiver: Receiver
) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["start"] = refusal("no start")
    shop.remote.answers["undo"] = refusal("no room")

    with pytest.raises(DeployError):
        deploy(shop.project(**sending(receiver)), DeployOptions(force=True))

    undo = spans(receiver)[-1]
    assert (undo["name"], undo["status"]["code"]) == ("undo", 2)
    assert "no room" in undo["status"]["message"]


def test_a_deploy_that_is_interrupted_is_a_trace(shop: Shop, receiver: Receiver) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["start"] = KeyboardInterrupt()
    shop.remote.answers["undo"] = "r1\n"

    with pytest.raises(KeyboardInterrupt):
        deploy(shop.project(**sending(receiver)), DeployOptions(force=True))

    whole, *steps = spans(receiver)
    assert whole["status"] == {"code": 2, "message": "KeyboardInterrupt"}
    assert [one["name"] for one in steps][-2:] == ["start", "undo"]


def test_a_hook_that_keeps_a_deploy_from_beginning_is_a_trace(
    shop: Shop, receiver: Receiver
) -> None:
    shop.probed(shop.empty())
    project = shop.project(**sending(receiver))
    hook = project.folder / "hooks/before-deploy"
    hook.parent.mkdir()
    hook.touch(0o644)

    with pytest.raises(DeployError):
        deploy(project, DeployOptions(first=True))

    (whole,) = spans(receiver)
    assert whole["status"] == {"code": 2, "message": "hooks/before-deploy is not executable"}


def test_an_endpoint_that_does_not_answer_holds_no_deploy_up(
    shop: Shop,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop.probed(shop.empty())
    monkeypatch.setattr(tracing, "_LONGEST_SECONDS", 0.01)
    monkeypatch.setattr(receiver, "free", threading.Event())

    deploy(shop.project(**sending(receiver)), DeployOptions(first=True))

    said = capsys.readouterr().err
    assert said.count("trace not sent: the endpoint has not answered") == 1
    receiver.free.set()
    for thread in threading.enumerate():
        if thread.name.endswith("(send)"):
            thread.join()
    assert len(spans(receiver)) > 1


def test_a_rollback_is_a_trace(shop: Shop, receiver: Receiver) -> None:
    keeping(shop)

    rollback(shop.project(**sending(receiver)), to="")

    assert spans(receiver)[0]["name"] == "rollback"


@pytest.mark.parametrize("status", [500, 400, 302])
def test_whatever_the_endpoint_answers_a_deploy_succeeds(
    shop: Shop, receiver: Receiver, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    shop.probed(shop.empty())
    receiver.answers = [status]

    deploy(shop.project(**sending(receiver)), DeployOptions(first=True))

    said = " ".join(capsys.readouterr().err.split())
    assert f"trace not sent: 127.0.0.1 answers {status}; are OTLP_ENDPOINT" in said
    assert len(receiver.seen) == 1


def test_without_traces_in_otlp_send_none_is_sent(shop: Shop, receiver: Receiver) -> None:
    shop.probed(shop.empty())

    deploy(
        shop.project(**sending(receiver) | {"OTLP_SEND": "logs,metrics"}), DeployOptions(first=True)
    )

    assert receiver.seen == []
    assert json.loads(receiver.body) == {}
