"""What commands do and find is told to receivers, and no receiver changes how a command ends."""

from collections.abc import Iterator

import pytest

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.rollback import rollback
from deploy.app.status import status
from deploy.errors import DeployError, NodeUnheardError
from deploy.node import session
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.app.test_rollback import keeping
from tests.unit.deploy.fake_remote import refusal
from tests.unit.deploy.notify.receivers import Hook, hook
from tests.unit.deploy.site import page

pytestmark = pytest.mark.loopback


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as made:
        yield made


def test_a_deploy_that_is_done_is_told(shop: Shop, receiver: Hook) -> None:
    shop.probed(shop.empty())

    deploy(shop.project(NOTIFY_URL=receiver.url), DeployOptions(first=True))

    (one,) = receiver.came
    assert (one.json["event"], one.json["trouble"]) == ("deploy", False)
    assert one.json["title"].startswith("shop-www on web1: deploy done, release 2")


def test_a_deploy_that_fails_is_told_with_what_serves_and_without_the_apps_output(
    shop: Shop, receiver: Hook
) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["start"] = refusal("slot green did not start\nDB_PASSWORD=of-the-app")
    shop.remote.answers["undo"] = "r1\n"
    shop.remote.answers["logs"] = "a log line\n"
    project = shop.project(**{"ENV_*": {"GREETING": "hello"}, "NOTIFY_URL": receiver.url})

    with pytest.raises(DeployError, match="a log line"):
        deploy(project, DeployOptions())

    (one,) = receiver.came
    assert one.json["title"].startswith("shop-www on web1: deploy failed")
    assert "slot green did not start" in one.json["text"]
    assert "release r1 serves again" in one.json["text"]
    assert b"DB_PASSWORD" not in one.body
    assert b"a log line" not in one.body


def test_a_rollback_is_told(shop: Shop, receiver: Hook) -> None:
    keeping(shop)

    rollback(shop.project(NOTIFY_URL=receiver.url), to="")

    assert [one.split(",")[0] for one in receiver.titles] == ["shop-www on web1: rollback done"]


def test_nothing_to_do_is_no_news(shop: Shop, receiver: Hook) -> None:
    shop.probed(shop.deployed())

    deploy(shop.project(NOTIFY_URL=receiver.url), DeployOptions())

    assert receiver.came == []


@pytest.mark.parametrize("code", [500, 400, 302])
def test_a_deploy_succeeds_whatever_the_receiver_answers(
    code: int, shop: Shop, receiver: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.probed(shop.empty())
    receiver.status = code

    deploy(shop.project(NOTIFY_URL=receiver.url), DeployOptions(first=True))

    told = capsys.readouterr()
    assert "serves release" in told.out
    assert f"notification not sent: 127.0.0.1 answers {code}" in told.err


def test_a_node_that_does_not_answer_is_told_and_that_it_does_again(
    shop: Shop, receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = session.open_session

    def unreached(*_: object) -> None:
        raise NodeUnheardError("web1 cannot be reached: timed out")

    project = shop.project(NOTIFY_URL=receiver.url)
    monkeypatch.setattr(session, "open_session", unreached)
    for _ in range(3):
        with pytest.raises(DeployError, match="cannot be reached"):
            deploy(project, DeployOptions())
    monkeypatch.setattr(session, "open_session", reached)
    shop.probed(shop.deployed())
    deploy(project, DeployOptions())

    assert receiver.titles == ["web1 is not heard", "web1 is heard again"]


def test_an_app_that_is_not_healthy_is_told_once(shop: Shop, receiver: Hook) -> None:
    shop.probed(shop.deployed())
    shop.remote.answers["workers"] = "null\n"
    project = shop.project(NOTIFY_URL=receiver.url)
    for answer in ("500 Oh", "500 Oh", "200 OK"):
        shop.site.answer = page(answer)
        status(project, as_json=True)

    assert receiver.titles == [
        "shop-www on web1 is not healthy",
        "shop-www on web1 is healthy again",
    ]
