"""`fab cert-status` asks each node once, and its exit code is that of the worst finding."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.app.credentials import Credentials
from deploy.app.health import HealthCheck
from deploy.app.tls import load_pair
from deploy.certificate.issue import cert_issue
from deploy.certificate.source import CertOptions
from deploy.errors import DeployError
from deploy.inventory import app
from deploy.inventory.status import cert_status
from deploy.node import session
from deploy.node.endpoint import Endpoint
from deploy.node.holdings import Holdings, SealedCredential
from deploy.project import Project
from tests.unit.deploy.examples import manifest, settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal
from tests.unit.deploy.notify.receivers import hook

WEB1 = Endpoint("192.0.2.1", 443, "x")


@pytest.fixture
def shop(tmp_path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose node, container and visitors have the workstation's certificate."""
    own = settings(CERT_PASSWORD="hunter2", NODE_ADDRESS="web1", SSH_KEYS="id.pub")
    made = Project(tmp_path, own)
    cert_issue(made, CertOptions(), Credentials(own, None))
    pair = load_pair(made)
    monkeypatch.setattr(session, "endpoints", lambda *_: (WEB1,))
    monkeypatch.setattr(app, "checks", lambda *_: ({WEB1: HealthCheck(pair.leaf, 200, "")}, ()))
    held = Holdings(
        clock=int(datetime.now(UTC).timestamp()),
        release=pair.chain.pem.decode(),
        inside=pair.chain.pem.decode(),
        manifest=manifest(),
        host_keys=(),
        host_keys_changing=False,
        access=(),
        credentials=(SealedCredential(name="cert_pass", age_seconds=1, seal="", opens=True),),
        compared={},
    )
    remote.answers["holdings"] = held.model_dump_json()
    return made


def change(remote: FakeRemote, **changes: object) -> None:
    held = json.loads(str(remote.answers["holdings"]))
    remote.answers["holdings"] = json.dumps(held | changes)


def test_a_node_in_order_makes_the_exit_code_0(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cert_status((shop,), as_json=True, prometheus=False) == 0

    shown = json.loads(capsys.readouterr().out)
    assert [place["where"] for place in shown["places"]] == [
        *("workstation", "node", "container", "served")
    ]
    assert shown["agree"]
    assert remote.the("holdings").arguments == ("shop-www",)


def test_an_unreadable_certificate_and_one_that_is_not_served_are_errors(
    shop: Project,
    remote: FakeRemote,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = HealthCheck(None, 0, "refused", reached=False)
    monkeypatch.setattr(app, "checks", lambda *_: ({WEB1: refused}, ()))
    change(remote, release="rubbish", inside="")

    assert cert_status((shop,), as_json=True, prometheus=False) == 2

    errors = json.loads(capsys.readouterr().out)["errors"]
    assert any(text.startswith("container: no certificate there") for text in errors)
    assert f"served: {WEB1} shows no certificate: refused" in errors
    assert any(text.startswith("node: ") for text in errors)


def test_host_keys_that_are_being_changed_make_the_exit_code_1(
    shop: Project, remote: FakeRemote
) -> None:
    change(remote, host_keys_changing="yes")

    assert cert_status((shop,), as_json=False, prometheus=False) == 1


def test_several_apps_are_one_json_object_and_one_prometheus_text(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    cert_status((shop, shop), as_json=True, prometheus=False)
    assert len(json.loads(capsys.readouterr().out)["apps"]) == 2

    cert_status((shop, shop), as_json=False, prometheus=True)
    assert capsys.readouterr().out.count("# TYPE corefab_findings gauge") == 1


def test_a_node_that_fails_to_answer_ends_the_command(shop: Project, remote: FakeRemote) -> None:
    remote.answers["holdings"] = refusal("jq: not found")

    with pytest.raises(DeployError, match="jq: not found"):
        cert_status((shop,), as_json=False, prometheus=False)


@pytest.mark.loopback
def test_a_certificate_that_ends_soon_is_told_once(shop: Project, remote: FakeRemote) -> None:
    with hook() as receiver:
        own = {"notify_url": SecretStr(receiver.url), "cert_warn_days": 3650}
        told = replace(shop, settings=shop.settings.model_copy(update=own))
        for _ in range(2):
            cert_status((told,), as_json=True, prometheus=False)

    (one,) = receiver.came
    assert one.json["title"] == "shop-www on web1: a certificate expires soon, or is missing"
    assert "served: " in one.json["text"]
