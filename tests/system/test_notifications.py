"""Deploys of a real node are told to a receiver, and end as they would without one."""

from collections.abc import Iterator

import pytest

from tests.system.project import Project
from tests.unit.deploy.notify.receivers import Hook, hook

pytestmark = pytest.mark.node
HOSTILE = "\x1b[2J <!channel> @everyone \u202e"


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as made:
        yield made


def test_a_test_message_arrives(serving: Project, receiver: Hook) -> None:
    said = serving.must("notify-test", NOTIFY_URL=receiver.url, NOTIFY_KEY="a key")

    assert "127.0.0.1 took a test message" in said
    assert receiver.came[0].headers["webhook-signature"].startswith("v1,")


def test_failed_deploys_of_one_kind_are_one_message_and_the_next_good_one_another(
    serving: Project, receiver: Hook
) -> None:
    bad = {"BEFORE_SWITCH": "/usr/bin/python3 -c 'import sys; sys.exit(1)'", "ENV_GREETING": "bad"}
    for _ in range(2):
        assert serving.fab("deploy", NOTIFY_URL=receiver.url, **bad).code == 1
    serving.must("deploy", "--force", NOTIFY_URL=receiver.url, ENV_GREETING=HOSTILE)
    serving.must("deploy", NOTIFY_URL=receiver.url)

    assert [one.json["trouble"] for one in receiver.came] == [True, False, False]
    assert "serves again, proven over HTTPS" in receiver.came[0].json["text"]
    assert all(text.isprintable() for text in receiver.titles)


def test_a_receiver_that_is_down_gets_the_message_of_a_deploy_later(
    serving: Project, receiver: Hook
) -> None:
    receiver.status = 503
    said = serving.fab("deploy", "--force", NOTIFY_URL=receiver.url)
    assert (said.code, "127.0.0.1 answers 503" in said.out) == (0, True)
    receiver.came.clear()

    receiver.status = 200
    serving.must("notify-test", NOTIFY_URL=receiver.url)

    assert [one.json["event"] for one in receiver.came].count("deploy") == 1
