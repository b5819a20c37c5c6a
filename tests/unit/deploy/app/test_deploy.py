"""A deploy changes the node only where something differs, and runs hooks around the change."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from certs.errors import CertError
from deploy.app.deploy import DeployOptions, deploy
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.lock import LockHeldError
from deploy.node.release import Manifest
from deploy.node.state import Interrupted
from deploy.receipt import make
from deploy.receipt.plan.receipt import read_receipt
from tests.clock import Clock
from tests.unit.deploy.app.shop import PASSWORD, Shop
from tests.unit.deploy.fake_remote import refusal
from tests.unit.deploy.site import page

pytestmark = pytest.mark.loopback
SWITCH = ["start", "prove-slot", "move", "finish", "retire"]


def hook(shop: Shop, name: str, script: str = "cat >hook.json") -> Path:
    """Write a hook that keeps its input."""
    path = shop.folder / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return shop.folder / "hook.json"


def test_a_node_that_is_up_to_date_is_only_probed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())

    deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts == ["probe"]
    assert "nothing to do: shop-www is up to date (release r1)" in capsys.readouterr().out


def test_a_first_deploy_locks_stages_seals_checks_and_records(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.empty())

    deploy(shop.project(), DeployOptions(first=True))

    assert shop.remote.scripts == [
        *("probe", "lock", "stage", "tag-image", "seal", "start", "prove-slot", "move", "finish")
    ]
    recorded = Manifest.model_validate_json(shop.remote.the("finish").stdin)
    assert recorded.health == "healthy"
    assert f"shop-www serves release {recorded.release} at https://" in capsys.readouterr().out
    (kept,) = (shop.folder / "state/releases/shop-www").iterdir()
    assert Manifest.model_validate_json(kept.read_text()) == recorded


def test_a_change_switches_from_the_slot_that_serves_and_names_its_reason(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())

    deploy(shop.project(**{"ENV_*": {"GREETING": "hello"}}), DeployOptions())

    assert shop.remote.scripts == ["probe", "lock", "stage", "tag-image", *SWITCH]
    assert shop.remote.the("stage").arguments[2] == "r1"
    assert shop.remote.the("start").arguments[2] == "green"
    assert "  unit changed: /etc/containers/systemd/shop-www-green" in capsys.readouterr().out


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign without ssh-keygen."""
    monkeypatch.setattr(make, "sign", lambda content, key: b"signed with " + key.name.encode())


def test_a_deploy_with_a_key_signs_first_and_keeps_the_receipt_on_both_sides(
    shop: Shop, signing: None
) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["receipts"] = '{"receipts": [], "releases": []}'

    deploy(shop.project(RECEIPT_KEY="ann"), DeployOptions(force=True))

    assert shop.remote.scripts == [
        *("probe", "lock", "receipts", "stage", "receipt-stage", "tag-image", *SWITCH)
    ]
    release = shop.remote.the("finish").arguments[1]
    kept = shop.folder / f"receipts/shop-www/web1/{release}.json"
    receipt = read_receipt(kept.read_bytes(), "shop-www")
    assert (receipt.what, receipt.replaces, receipt.copies) == ("deploy", "r1", "")
    assert receipt.manifest.release == release
    with tarfile.open(fileobj=io.BytesIO(shop.remote.the("receipt-stage").stdin)) as archive:
        sent = {one.name: archive.extractfile(one) for one in archive.getmembers()}
    assert {name: file.read() for name, file in sent.items() if file} == {
        "receipt.json": kept.read_bytes(),
        "receipt.json.sig": b"signed with ann",
    }
    assert kept.with_suffix(".json.sig").read_bytes() == b"signed with ann"


def test_a_deploy_that_cannot_be_signed_changes_nothing_and_runs_no_hook(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise DeployError("signing the receipt with ann failed: agent refused operation")

    monkeypatch.setattr(make, "sign", refuse)
    ran = hook(shop, "before-deploy")
    shop.probed(shop.deployed())
    shop.remote.answers["receipts"] = '{"receipts": [], "releases": []}'

    with pytest.raises(DeployError, match="signing the receipt"):
        deploy(shop.project(RECEIPT_KEY="ann"), DeployOptions(force=True))

    assert shop.remote.scripts == ["probe", "lock", "receipts"]
    assert not ran.exists()
    assert not (shop.folder / "receipts").exists()


def test_a_deploy_that_fails_keeps_no_receipt_here(shop: Shop, signing: None) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["receipts"] = '{"receipts": [], "releases": []}'
    shop.remote.answers["prove-slot"] = refusal("slot green: not healthy within 1 s")

    with pytest.raises(DeployError, match="not healthy"):
        deploy(shop.project(RECEIPT_KEY="ann"), DeployOptions(force=True))

    assert not (shop.folder / "receipts").exists()


def test_no_secret_is_an_argument_or_printed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.empty())

    deploy(shop.project(), DeployOptions(first=True))

    assert PASSWORD not in repr(shop.remote.commands)
    assert PASSWORD not in str(capsys.readouterr())
    assert shop.remote.the("seal").stdin == PASSWORD.encode()


def test_a_node_without_ipv6_gets_a_network_without(shop: Shop) -> None:
    shop.probed(shop.empty().model_copy(update={"ipv6": False}))

    deploy(shop.project(), DeployOptions(first=True))

    with tarfile.open(fileobj=io.BytesIO(shop.remote.the("stage").stdin)) as archive:
        folder = "root/etc/containers/systemd"
        texts = {
            name: (archive.extractfile(f"{folder}/shop-www{name}") or io.BytesIO()).read().decode()
            for name in (".network", "-blue.container")
        }
    assert "IPv6=false" in texts[".network"]
    assert "fdc7:" not in texts[".network"]
    assert "ip6=" not in texts["-blue.container"]


def test_credentials_that_are_too_large_are_refused_before_the_lock(shop: Shop) -> None:
    shop.probed(shop.empty())

    with pytest.raises(DeployError, match="the largest is token"):
        deploy(shop.project(**{"SECRET_*": {"token": "x" * 2**20}}), DeployOptions(first=True))

    assert shop.remote.scripts == []


def test_warnings_of_the_node_are_shown(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.probed(shop.empty())
    shop.remote.answers["start"] = "/data belongs to user 5\n"

    deploy(shop.project(), DeployOptions(first=True))

    assert "warning: /data belongs to user 5" in capsys.readouterr().err


def test_a_public_address_without_an_address_is_refused_before_anything_is_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(host: str) -> tuple[str, ...]:
        raise DeployError(f"{host} has no address", "")

    monkeypatch.setattr(session, "addresses_of", unknown)
    shop.probed(shop.empty())

    with pytest.raises(DeployError, match=r"shop\.invalid has no address"):
        deploy(shop.project(PUBLIC_ADDRESS="shop.invalid"), DeployOptions(first=True))

    assert "stage" not in shop.remote.scripts


def test_force_makes_a_release_where_nothing_differs(shop: Shop) -> None:
    shop.probed(shop.deployed())

    deploy(shop.project(), DeployOptions(force=True))

    assert shop.remote.scripts[-5:] == SWITCH


def test_an_app_that_is_not_healthy_is_a_reason_to_deploy(
    shop: Shop, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())
    shop.site.answer = page("500 Oh")

    with pytest.raises(DeployError, match="the health path answers 500"):
        deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts[-3:] == ["logs", "undo", "audit"]
    assert "not healthy within 5 s" in capsys.readouterr().out
    assert clock.slept > 5


def test_a_credential_is_sealed_again_when_asked_for(shop: Shop) -> None:
    shop.probed(shop.deployed())

    deploy(shop.project(), DeployOptions(what="credentials", reseal=frozenset({"cert_pass"})))

    assert shop.remote.the("seal").arguments[2] == "cert_pass"
    assert json.loads(shop.remote.the("lock").arguments[1])["what"] == "credentials"


def test_after_waiting_for_the_lock_the_deploy_is_planned_again(shop: Shop) -> None:
    shop.probed(shop.deployed(active="failed"), shop.deployed())
    shop.remote.answers["lock"] = "waited\n"

    deploy(shop.project(), DeployOptions(wait_seconds=60))

    assert shop.remote.scripts == ["probe", "lock", "probe"]


def test_a_lock_that_another_holds_stops_the_deploy_before_any_change(shop: Shop) -> None:
    shop.probed(shop.deployed(active="failed"))
    shop.remote.answers["lock"] = refusal("null", code=75)

    with pytest.raises(LockHeldError):
        deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts == ["probe", "lock"]


def test_an_unfinished_deploy_is_undone_first_and_recorded(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished = shop.deployed(interrupted=Interrupted(release="r2", previous="r1"))
    shop.probed(unfinished, unfinished, shop.deployed())

    deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts == ["probe", "lock", "probe", "undo", "audit", "probe"]
    line = json.loads(shop.remote.the("audit").arguments[0])
    assert (line["what"], line["release"]) == ("undo", "r2")
    assert "✓ unfinished deploy r2 undone" in capsys.readouterr().out


def test_a_slot_that_an_interrupted_deploy_left_running_is_stopped(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(leftover="green"))

    deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts == ["probe", "retire"]
    assert "slot green, which no longer serves, drained and stopped" in capsys.readouterr().out


def test_a_staged_update_of_the_system_is_warned_of(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(staged_update="42.1"))

    deploy(shop.project(), DeployOptions(force=True))

    assert "OS update staged (42.1)" in capsys.readouterr().err


@pytest.mark.parametrize("first", [True, False])
def test_first_must_match_the_node(shop: Shop, *, first: bool) -> None:
    shop.probed(shop.deployed() if first else shop.empty())

    with pytest.raises(DeployError) as caught:
        deploy(shop.project(), DeployOptions(first=first))

    assert "--first" in caught.value.hint
    assert shop.remote.scripts == ["probe"]


def test_a_wrong_password_is_found_before_the_node_changes(shop: Shop) -> None:
    shop.probed(shop.empty())

    with pytest.raises(CertError, match="the password does not open this key"):
        deploy(shop.project(CERT_PASSWORD="wrong"), DeployOptions(first=True))

    assert shop.remote.scripts == ["probe", "lock"]


def test_a_certificate_without_the_apps_name_is_refused_before_the_login(shop: Shop) -> None:
    with pytest.raises(CertError, match=r"other\.example\.org"):
        deploy(shop.project(CERT_NAMES="other.example.org"), DeployOptions())

    assert shop.remote.scripts == []


def test_a_node_without_its_podman_is_refused_with_what_it_says(shop: Shop) -> None:
    shop.remote.answers["probe"] = refusal("podman: command not found", code=127)

    with pytest.raises(DeployError, match="podman: command not found"):
        deploy(shop.project(), DeployOptions())


def test_a_failure_is_recorded_in_the_journal_with_its_first_line(shop: Shop) -> None:
    shop.probed(shop.deployed(active="failed"))
    shop.remote.answers["start"] = refusal("shop-www-green.service did not start")

    with pytest.raises(DeployError, match="did not start"):
        deploy(shop.project(), DeployOptions())

    assert shop.remote.scripts[-4:] == ["start", "logs", "undo", "audit"]
    line = json.loads(shop.remote.the("audit").arguments[0])
    assert (line["what"], line["result"], line["previous"]) == ("deploy", "failed", "r1")
    assert line["detail"].endswith("failed on the node: shop-www-green.service did not start")


@pytest.mark.program
def test_hooks_get_the_plan_and_the_release(shop: Shop) -> None:
    before, after = "cat >before.json", "cat >after.json"
    hook(shop, "before-deploy", before)
    hook(shop, "after-deploy", after)
    shop.probed(shop.deployed())

    deploy(shop.project(), DeployOptions(force=True))

    plan = json.loads((shop.folder / "before.json").read_text())
    done = json.loads((shop.folder / "after.json").read_text())
    assert plan["reasons"] == ["a new release was asked for"]
    assert done == plan | {"release": shop.remote.the("stage").arguments[1]}


@pytest.mark.program
def test_a_hook_that_fails_stops_the_deploy_before_the_release_is_staged(shop: Shop) -> None:
    hook(shop, "before-deploy", "exit 3")
    received = hook(shop, "failed-deploy")
    shop.probed(shop.deployed())

    with pytest.raises(DeployError, match="before-deploy"):
        deploy(shop.project(), DeployOptions(force=True))

    assert shop.remote.scripts == ["probe", "lock", "audit"]
    assert "before-deploy" in json.loads(received.read_text())["error"]


@pytest.mark.program
def test_a_release_stays_when_the_hook_after_it_fails(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    hook(shop, "after-deploy", "exit 3")
    shop.probed(shop.deployed())

    deploy(shop.project(), DeployOptions(force=True))

    assert shop.remote.scripts[-5:] == SWITCH
    assert "after-deploy" in capsys.readouterr().err
