"""`fab plan` shows what a deploy would do, and changes nothing."""

import base64
import json

import pytest

from certs.errors import CertError
from deploy.app.show_plan import show_plan
from deploy.errors import DeployError
from deploy.node.state import Interrupted
from tests.unit.deploy.app.shop import Shop

pytestmark = pytest.mark.loopback
MISPRINT = "<p>teh shop</p>\n"


def show(shop: Shop, *, as_json: bool = False, **values: object) -> int:
    return show_plan(shop.project(**values), first=False, as_json=as_json, exit_code=True)


def test_a_node_that_is_up_to_date_has_nothing_to_do(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())

    assert show(shop) == 0
    assert capsys.readouterr().out == "✓ nothing to do: shop-www is up to date\n"
    assert shop.remote.scripts == ["probe"]


def test_changed_files_are_shown_with_a_diff_and_the_steps_in_order(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    files = shop.folder / "files"
    files.mkdir()
    (files / "index.html").write_text("<p>the shop</p>\n")
    held = shop.deployed()
    assert held.manifest
    old = held.manifest.model_copy(update={"files": {"index.html": "0" * 64}})
    shop.probed(held.model_copy(update={"manifest": old}))
    shop.remote.answers["texts"] = base64.b64encode(MISPRINT.encode()).decode() + "\n"

    assert show(shop, PROJECT_FILES="files") == 2

    shown = capsys.readouterr().out
    assert "    -<p>teh shop</p>\n    +<p>the shop</p>\n" in shown
    assert "  1. Stage the release" in shown
    assert shop.remote.scripts == ["probe", "texts"]
    assert shop.remote.the("texts").stdin == b"index.html\n"


def test_what_is_not_sent_of_the_project_files_is_listed_beside_the_plan(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("node_modules", "empty"):
        (shop.folder / "files" / folder).mkdir(parents=True)
    (shop.folder / "files/.env.local").touch()
    shop.probed(shop.deployed())

    show(shop, as_json=True, PROJECT_FILES="files")

    said = capsys.readouterr()
    json.loads(said.out)
    assert "are not sent" in said.err
    assert said.err.strip().endswith(": .env.local, empty/, node_modules/")


def test_the_document_is_one_value_in_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.probed(shop.deployed(active="failed"))

    assert show(shop, as_json=True) == 2

    document = json.loads(capsys.readouterr().out)
    assert document["reasons"] == ["the app is failed"]
    assert [step["kind"] for step in document["steps"]][:2] == ["stage", "image"]


def test_changes_are_an_exit_code_only_where_asked_for(shop: Shop) -> None:
    shop.probed(shop.deployed(active="failed"))

    assert show_plan(shop.project(), first=False, as_json=True, exit_code=False) == 0


def test_an_unfinished_deploy_is_named(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.probed(shop.deployed(interrupted=Interrupted(release="r2", previous="r1")))

    assert show(shop) == 2
    assert "first: undo the unfinished deploy r2" in capsys.readouterr().out


def test_a_slot_left_running_counts_as_a_change(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(leftover="green"))

    assert show(shop) == 2
    assert "slot green, which no longer serves, will be drained" in capsys.readouterr().out


def test_a_plan_needs_no_password_and_checks_one_that_is_known(shop: Shop) -> None:
    shop.probed(shop.empty())

    unknown = shop.project(CERT_PASSWORD="")
    assert show_plan(unknown, first=True, as_json=True, exit_code=True) == 2
    with pytest.raises(CertError, match="password"):
        show_plan(shop.project(CERT_PASSWORD="wrong"), first=True, as_json=True, exit_code=True)


def test_an_answer_with_too_few_texts_is_refused(shop: Shop) -> None:
    held = shop.deployed()
    units = {path: one.model_copy(update={"sha256": "0"}) for path, one in held.files.items()}
    shop.probed(held.model_copy(update={"files": units}))
    shop.remote.answers["texts"] = "-\n"

    with pytest.raises(
        DeployError, match=r"about changed files cannot be read: it has 1 of \d+ files"
    ):
        show(shop)


def test_the_proxy_that_the_node_lacks_is_named(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["texts"] = "\n" * 8

    assert show(shop, TLS="proxy", HTTPS_PORT="443", CERT_FROM="own") == 2

    assert capsys.readouterr().out.startswith("first the node's proxy is deployed, which is not")
