"""Receivers are told of each change once, later if they are down, and never hold a command up."""

import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.notify import tell as telling
from deploy.notify.plan import events
from deploy.notify.plan.events import Where
from deploy.notify.plan.notice import Finding
from deploy.notify.store import Store
from deploy.notify.tell import tell
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.notify.conftest import Now, memory
from tests.unit.deploy.notify.receivers import BROKEN, Hook, Mails

pytestmark = pytest.mark.loopback
AT = Where("shop-www", "web1")


def failed(number: int = 1) -> Finding:
    why = f"checking slot green failed on web1: no answer after {number}.2 s"
    return events.failed(AT, "deploy", why, f"release r{number} serves again", restored=True)


def test_fifty_failures_of_one_kind_make_one_message(
    project: Project, receiver: Hook, now: Now
) -> None:
    for number in range(50):
        now.pass_by(minutes=10)
        tell(project, failed(number))

    assert receiver.titles == ["shop-www on web1: deploy failed"]


def test_a_trouble_that_lasts_is_told_again_after_a_day(
    project: Project, receiver: Hook, now: Now
) -> None:
    for hours in (0, 23, 1, 23, 1):
        now.pass_by(hours=hours)
        tell(project, BROKEN)

    assert receiver.titles == ["web1 differs", "still: web1 differs", "still: web1 differs"]
    assert [one.json["reminder"] for one in receiver.came] == [False, True, True]


def test_each_change_is_told_and_what_is_well_only_after_trouble(
    project: Project, receiver: Hook, now: Now
) -> None:
    well = events.heard(AT)
    for one in (well, events.unheard(AT, "x"), events.unheard(AT, "y"), well, well):
        tell(project, one)
    for number in (1, 1, 2):
        tell(project, events.deployed(AT, "deploy", f"r{number}", "ann"))

    assert receiver.titles == [
        "web1 is not heard",
        "web1 is heard again",
        "shop-www on web1: deploy done, release r1 serves",
        "shop-www on web1: deploy done, release r2 serves",
    ]


def test_a_receiver_that_is_down_gets_each_message_exactly_once_later(
    project: Project, receiver: Hook, now: Now, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 503
    tell(project, BROKEN)
    tell(project, failed())
    assert [one.notice.title for one in memory(project).waiting] == [
        "web1 differs",
        "shop-www on web1: deploy failed",
    ]
    assert "127.0.0.1 answers 503; a later command sends it" in capsys.readouterr().err
    receiver.came.clear()

    receiver.status = 204
    now.pass_by(minutes=2)
    tell(project)
    tell(project)

    assert receiver.titles == ["web1 differs", "shop-www on web1: deploy failed"]
    assert len({one.headers["webhook-id"] for one in receiver.came}) == 2
    assert memory(project).waiting == ()


def test_a_receiver_that_has_just_failed_is_left_alone_until_there_is_news(
    project: Project, receiver: Hook, now: Now
) -> None:
    receiver.status = 500
    tell(project, BROKEN)
    now.pass_by(seconds=30)
    tell(project, BROKEN)
    assert len(receiver.came) == 1

    tell(project, failed())

    assert len(receiver.came) == 2


def test_a_message_that_is_refused_does_not_hold_back_the_next(
    project: Project, receiver: Hook, now: Now
) -> None:
    receiver.status = 500
    tell(project, BROKEN)
    receiver.status = 400
    tell(project, failed())

    assert receiver.titles[1:] == ["web1 differs", "shop-www on web1: deploy failed"]
    assert len(memory(project).waiting) == 2


def test_each_receiver_has_what_it_did_not_take_itself(
    mailed: Project, receiver: Hook, mails: Mails, now: Now
) -> None:
    mails.answer = "451 later"
    tell(mailed, BROKEN)
    assert (len(receiver.came), mails.came) == (1, [])

    mails.answer = "250 taken"
    now.pass_by(minutes=2)
    tell(mailed)

    assert len(receiver.came) == 1
    assert [to for to, _ in mails.came] == ["ops@example.org", "boss@example.org"]
    assert {mail["Subject"] for _, mail in mails.came} == {"web1 differs"}


def test_a_receiver_that_does_not_answer_holds_no_command_up(
    project: Project, receiver: Hook, now: Now, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(telling, "_LONGEST_SECONDS", 0.01)
    receiver.answers.clear()

    tell(project, BROKEN)

    assert "a receiver has not answered" in capsys.readouterr().err
    assert len(memory(project).waiting) == 1
    receiver.answers.set()
    for thread in threading.enumerate():
        if thread.name.endswith("(_send)"):
            thread.join()
    assert memory(project).waiting == ()


def test_commands_that_send_at_the_same_time_send_each_message_once(
    project: Project, receiver: Hook, now: Now
) -> None:
    receiver.status = 500
    for number in range(5):
        tell(project, replace(BROKEN, node=f"web{number}"))
    receiver.came.clear()
    receiver.status = 200
    now.pass_by(minutes=2)

    threads = [threading.Thread(target=tell, args=(project,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.json["node"] for one in receiver.came] == [f"web{number}" for number in range(5)]


def test_what_is_kept_is_the_operators_alone(project: Project, receiver: Hook, now: Now) -> None:
    tell(project, BROKEN)

    file = Store(project.folder, "shop-www").file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert receiver.url.rpartition("/")[2] not in file.read_text()


@pytest.mark.parametrize("content", ["", "{", '{"told": 5}', '{"schema_version": 2}', "\0"])
def test_a_damaged_memory_is_a_warning(
    content: str, project: Project, receiver: Hook, now: Now, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Store(project.folder, "shop-www").file
    file.parent.mkdir(parents=True)
    file.write_text(content)

    tell(project, BROKEN)

    assert "memory.json cannot be read" in capsys.readouterr().err
    assert file.read_text() == content


def test_a_file_in_the_way_is_a_warning(
    project: Project, now: Now, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.folder / "state").write_text("")

    tell(project, BROKEN)

    assert "cannot be written" in capsys.readouterr().err


def test_without_a_receiver_there_is_nothing_to_keep(tmp_path: Path) -> None:
    tell(Project(tmp_path, settings()), BROKEN)

    assert list(tmp_path.iterdir()) == []


def test_what_waits_for_a_receiver_that_is_gone_is_forgotten(
    mailed: Project, receiver: Hook, mails: Mails, now: Now
) -> None:
    mails.answer = "451 later"
    tell(mailed, BROKEN)

    tell(Project(mailed.folder, settings(NOTIFY_URL=receiver.url, NODE_ADDRESS="web1")))

    assert memory(mailed).waiting == ()


def test_of_very_many_messages_the_latest_wait(
    project: Project, receiver: Hook, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.status = 500

    tell(project, *(replace(BROKEN, node=f"web{number}") for number in range(600)))

    waiting = memory(project).waiting
    assert (len(waiting), waiting[-1].notice.node) == (500, "web599")
