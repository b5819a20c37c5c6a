"""`fab notify-test` says which receivers take a message."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.notify.tell import tell
from deploy.notify.trial import notify_test
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.notify.conftest import Now
from tests.unit.deploy.notify.receivers import BROKEN, Hook, Mails

pytestmark = [pytest.mark.loopback, pytest.mark.program]


def test_each_receiver_gets_a_message_and_is_named(
    mailed: Project, receiver: Hook, mails: Mails, capsys: pytest.CaptureFixture[str]
) -> None:
    assert notify_test(mailed) == 0

    assert [one.json["event"] for one in receiver.came] == ["test"]
    assert len(mails.came) == 2
    said = capsys.readouterr().out
    for name in ("127.0.0.1", "ops@example.org", "boss@example.org"):
        assert f"{name} took a test message" in said


def test_a_receiver_that_fails_is_an_error_and_its_test_is_not_kept(
    mailed: Project, receiver: Hook, mails: Mails, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 404

    assert notify_test(mailed) == 1

    told = capsys.readouterr()
    assert "127.0.0.1 answers 404" in told.err
    assert "ops@example.org took" in told.out
    receiver.status = 200
    receiver.came.clear()
    assert notify_test(mailed) == 0
    assert len(receiver.came) == 1


def test_what_waits_is_sent_too(project: Project, receiver: Hook, now: Now) -> None:
    receiver.status = 500
    tell(project, BROKEN)
    receiver.status = 200
    receiver.came.clear()
    now.pass_by(minutes=2)

    assert notify_test(project) == 0

    assert [one.json["event"] for one in receiver.came] == ["test", "drift"]


def test_without_a_receiver_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no receiver") as caught:
        notify_test(Project(tmp_path, settings()))

    assert "NOTIFY_URL" in caught.value.hint
