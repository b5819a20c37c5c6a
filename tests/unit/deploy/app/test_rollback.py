"""A rollback copies a kept release on the node and switches to it with the checks of a deploy."""

import json

import pytest

from deploy.app.plan.history import KeptRelease
from deploy.app.rollback import rollback
from deploy.errors import DeployError
from deploy.node.release import Manifest, proof_of
from deploy.node.state import Interrupted, NodeState
from deploy.receipt import make
from deploy.receipt.plan.receipt import read_receipt
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.fake_remote import refusal

pytestmark = pytest.mark.loopback


def keeping(shop: Shop, *failed: str) -> NodeState:
    """Make a node that keeps r0, r1, which serves, and releases that failed."""
    state = shop.deployed()
    assert state.manifest
    kept = [
        KeptRelease(
            manifest=state.manifest.model_copy(update={"release": release}),
            serves=release == "r1",
            failed=release in failed,
            bytes=1,
            image_bytes=1,
        ).model_dump(mode="json")
        for release in ("r0", "r1", *failed)
    ]
    shop.remote.answers["releases"] = json.dumps(kept)
    shop.probed(state)
    return state


def test_the_release_before_is_copied_checked_and_recorded_as_a_new_one(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    keeping(shop)

    rollback(shop.project(), to="")

    assert shop.remote.scripts == [
        *("lock", "probe", "releases", "stage-again", "start", "prove-slot", "move", "finish"),
        "retire",
    ]
    app, release, source, previous = shop.remote.the("stage-again").arguments
    assert (app, source, previous) == ("shop-www", "r0", "r1")
    recorded = Manifest.model_validate_json(shop.remote.the("finish").stdin)
    assert (recorded.release, recorded.health) == (release, "healthy")
    shown = capsys.readouterr().out
    assert "shop-www on web1: r1 -> r0" in shown
    assert f"shop-www rolled back to r0 (recorded as {release})" in shown
    assert (shop.folder / f"state/releases/shop-www/{release}.json").exists()


def test_a_rollback_has_a_receipt_that_names_what_it_went_back_to(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "sign", lambda *_: b"signed")
    keeping(shop)
    shop.remote.answers["receipts"] = '{"receipts": [], "releases": []}'

    rollback(shop.project(RECEIPT_KEY="ann"), to="")

    scripts = shop.remote.scripts
    assert scripts[:5] == ["lock", "probe", "releases", "receipts", "stage-again"]
    assert scripts[5:7] == ["receipt-stage", "start"]
    (kept,) = (shop.folder / "receipts/shop-www/web1").glob("*.json")
    receipt = read_receipt(kept.read_bytes(), "shop-www")
    assert (receipt.what, receipt.replaces, receipt.copies) == ("rollback", "r1", "r0")


@pytest.mark.parametrize(
    ("old", "serving", "mode"),
    [
        ("slots", "slots", "slots"),
        ("socket", "slots", "socket"),
        ("restart", "slots", "restart"),
        ("slots", "restart", "restart"),
    ],
)
def test_a_rollback_goes_by_the_releases_own_check_and_switch(
    shop: Shop, old: str, serving: str, mode: str
) -> None:
    proof = proof_of(shop.project().settings)
    state = keeping(shop)
    assert state.manifest
    kept = json.loads(str(shop.remote.answers["releases"]))
    kept[0]["manifest"]["proof"] = proof.model_copy(
        update={"path": "/old", "switch": old}
    ).model_dump()
    shop.remote.answers["releases"] = json.dumps(kept)
    present = proof.model_copy(update={"switch": serving})
    manifest = state.manifest.model_copy(update={"proof": present})
    shop.probed(state.model_copy(update={"manifest": manifest}))

    rollback(shop.project(HEALTH_PATH="/new", PUBLIC_ADDRESS="192.0.2.9"), to="r0")

    assert shop.remote.the("start").arguments[-1] == mode
    assert shop.remote.the("prove-slot").arguments[4] == "/old"
    assert all(request.startswith(b"GET /old ") for request in shop.site.requests)
    recorded = Manifest.model_validate_json(shop.remote.the("finish").stdin)
    assert recorded.proof
    assert (recorded.proof.path, recorded.proof.switch) == ("/old", old)


def test_the_journal_names_the_rollback(shop: Shop) -> None:
    keeping(shop)

    rollback(shop.project(), to="r0", wait_seconds=60)

    assert json.loads(shop.remote.the("lock").arguments[1])["what"] == "rollback"
    assert json.loads(shop.remote.the("finish").arguments[3])["what"] == "rollback"


@pytest.mark.parametrize(
    ("named", "why"), [("r1", "serves already"), ("r2", "failed"), ("r9", "is not on the node")]
)
def test_a_release_that_cannot_serve_is_refused_before_any_change(
    shop: Shop, named: str, why: str
) -> None:
    keeping(shop, "r2")

    with pytest.raises(DeployError, match=why):
        rollback(shop.project(), to=named)

    assert shop.remote.scripts == ["lock", "probe", "releases"]


def test_an_unfinished_deploy_is_undone_first(shop: Shop) -> None:
    state = keeping(shop)
    unfinished = Interrupted(release="r2", previous="r1")
    shop.probed(state.model_copy(update={"interrupted": unfinished}), state)

    rollback(shop.project(), to="")

    assert shop.remote.scripts[:6] == ["lock", "probe", "undo", "audit", "probe", "releases"]


def test_a_rollback_that_fails_is_undone_and_recorded(shop: Shop) -> None:
    keeping(shop)
    shop.remote.answers["prove-slot"] = refusal("slot green: not healthy within 1 s")

    with pytest.raises(DeployError, match="release r1 serves again"):
        rollback(shop.project(), to="")

    assert shop.remote.scripts[-3:] == ["logs", "undo", "audit"]
    assert json.loads(shop.remote.the("audit").arguments[0])["result"] == "failed"


@pytest.mark.parametrize("field", ["app", "release"])
@pytest.mark.parametrize("answer", ["probe", "releases"])
def test_a_manifest_of_the_node_cannot_name_a_path_outside_the_project(
    shop: Shop, field: str, answer: str
) -> None:
    keeping(shop)
    name = "r0" if answer == "releases" else "r1"
    evil = {"app": "../../../evil", "release": f"{name}/../../../../evil"}[field]
    text = shop.remote.answers[answer]
    text = str(text[0] if isinstance(text, list) else text).replace(" ", "")
    was = {"app": '"app":"shop-www"', "release": f'"release":"{name}"'}[field]
    assert was in text
    shop.remote.answers[answer] = text.replace(was, f'"{field}":"{evil}"')
    before = set(shop.folder.rglob("*"))
    beside = set(shop.folder.parent.glob("*"))

    with pytest.raises(DeployError, match=rf"cannot be read at .*\b{field}: "):
        rollback(shop.project(), to="")

    assert set(shop.folder.parent.glob("*")) == beside
    assert set(shop.folder.rglob("*")) == before
