"""`fab image-repair` removes damaged images, records that, and deploys what was removed."""

import json

import pytest

from certs.errors import CertError
from deploy.app.repair import image_repair
from deploy.console import prompt
from deploy.errors import DeployError
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.fake_remote import refusal

pytestmark = pytest.mark.loopback


def test_what_was_removed_is_printed_recorded_and_deployed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(active="inactive"))
    shop.remote.answers["repair-storage"] = "layer 1 damaged\n\nimage 2 removed\n"

    image_repair(shop.project(), asked=True, wait_seconds=60)

    assert shop.remote.scripts[:5] == ["lock", "repair-storage", "audit", "probe", "lock"]
    line = json.loads(shop.remote.the("audit").arguments[0])
    assert (line["what"], line["detail"]) == ("image-repair", "layer 1 damaged; image 2 removed")
    assert "  layer 1 damaged\n  image 2 removed\n" in capsys.readouterr().out
    assert shop.remote.scripts[-2:] == ["finish", "retire"]


def test_without_a_yes_nothing_is_changed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "has_terminal", lambda: True)
    monkeypatch.setattr(prompt, "confirm", lambda _: False)

    with pytest.raises(DeployError, match="nothing was changed"):
        image_repair(shop.project())

    assert shop.remote.scripts == []


def test_without_a_terminal_a_repair_needs_a_yes(shop: Shop) -> None:
    with pytest.raises(DeployError, match="not a terminal") as refused:
        image_repair(shop.project())

    assert "--yes" in refused.value.hint
    assert shop.remote.scripts == []


def test_what_the_deploy_would_refuse_is_found_while_the_app_serves(shop: Shop) -> None:
    with pytest.raises(CertError, match="the password does not open this key"):
        image_repair(shop.project(CERT_PASSWORD="wrong"), asked=True)

    assert shop.remote.scripts == []


def test_a_repair_that_fails_is_recorded_and_nothing_is_deployed(shop: Shop) -> None:
    shop.remote.answers["repair-storage"] = refusal("input/output error")

    with pytest.raises(DeployError, match="input/output error") as caught:
        image_repair(shop.project(), asked=True)

    assert "fab rebuild" in caught.value.hint
    assert shop.remote.scripts == ["lock", "repair-storage", "audit"]
    assert json.loads(shop.remote.the("audit").arguments[0])["result"] == "failed"
