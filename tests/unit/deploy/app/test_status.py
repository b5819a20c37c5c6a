"""`fab status` shows release, unit, workers and health; its exit code says whether all is well."""

import json

import pytest

from deploy.app.status import status
from deploy.errors import DeployError
from deploy.node.release import proof_of
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.site import page

pytestmark = pytest.mark.loopback
WORKERS = {
    "state": "degraded",
    "workers": [
        {"name": "web", "state": "healthy", "last_sign": 0.5, "restarts": 0, "reasons": []},
        {"name": "jobs", "state": "hung", "last_sign": 60, "restarts": 2, "reasons": ["a", "hang"]},
    ],
}


def facts(shop: Shop, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    code = status(shop.project(), as_json=True)
    return code, json.loads(capsys.readouterr().out)


def test_a_healthy_app_ends_with_0(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.probed(shop.deployed())

    code, found = facts(shop, capsys)

    assert (code, found["health"], found["release"], found["slot"]) == (0, "healthy", "r1", "blue")
    assert found["unit"] == "shop-www-blue.service active (running) since today"
    assert found["workers"] is None
    assert shop.remote.scripts == ["probe", "workers"]


def test_an_unhealthy_app_ends_with_1_and_the_problem(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(
        shop.deployed(active="activating", result="exit-code", exit_status="3", status_text="up")
    )
    shop.site.answer = page("500 Oh")

    code, found = facts(shop, capsys)

    assert (code, found["health"]) == (1, "the health path answers 500")
    assert found["unit"] == (
        "shop-www-blue.service activating (running), last run: exit-code, exit code 3, says: up"
    )


def test_a_credential_that_the_node_cannot_decrypt_is_said_with_what_to_type(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(credentials={"cert_pass": "unreadable"}))

    status(shop.project(), as_json=False)

    said = capsys.readouterr()
    assert "cert_pass unreadable" in said.out
    assert "cert_pass cannot be decrypted on this node; run `fab creds-seal`" in said.err


def test_a_release_is_asked_as_it_was_deployed_whatever_the_settings_say_since(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    state = shop.deployed()
    assert state.manifest
    proof = proof_of(shop.project(HEALTH_PATH="/own").settings)
    shop.probed(
        state.model_copy(update={"manifest": state.manifest.model_copy(update={"proof": proof})})
    )

    code = status(shop.project(HEALTH_PATH="/new", PUBLIC_ADDRESS="192.0.2.9"), as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (code, found["endpoint"]) == (0, str(shop.site.endpoint))
    assert shop.site.requests[0].startswith(b"GET /own ")


def test_an_empty_node_is_not_visited(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.probed(shop.empty())

    code, found = facts(shop, capsys)

    assert (code, found["health"], found["release"]) == (1, "nothing deployed", None)
    assert shop.site.requests == []


def test_what_was_decided_of_an_update_is_told(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed(os_update="44.1 is back, since 44.2 was unhealthy: shop-www: 502"))

    status(shop.project, as_json=False)

    assert "os update" in capsys.readouterr().out


def test_free_space_is_bytes_for_programs_and_a_size_for_people(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())

    assert facts(shop, capsys)[1]["storage_free_bytes"] == 10**12
    status(shop.project(), as_json=False)

    shown = capsys.readouterr().out
    assert "1 TB" in shown
    assert "free bytes" not in shown


def test_workers_and_credentials_are_a_line_each_of_the_table(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["workers"] = json.dumps(WORKERS)

    assert status(shop.project(), as_json=False) == 0

    shown = capsys.readouterr().out
    assert "web healthy, jobs hung, restarted 2 times (hang)" in shown
    assert "cert_pass same" in shown


def test_no_secret_is_asked_for_or_sent(shop: Shop) -> None:
    shop.probed(shop.deployed())

    status(shop.project(CERT_PASSWORD=""), as_json=True)

    assert shop.remote.the("probe").stdin == b"cert_pass -\n"


def test_a_supervisor_that_answers_nonsense_is_named(shop: Shop) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["workers"] = "usage: status\n"

    with pytest.raises(DeployError, match="the answer of the app's status command cannot be read"):
        status(shop.project(), as_json=True)
