"""Receivers for each test, and a clock that stands still."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from deploy.notify import tell as telling
from deploy.notify.plan.memory import Memory
from deploy.notify.store import Store
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.notify.receivers import AT, Hook, Mails, hook, mail_server


@dataclass
class Now:
    """The time that notifications have."""

    at: datetime = AT

    def pass_by(self, **time: int) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    made = Now()
    monkeypatch.setattr(telling, "now", lambda: made.at)
    return made


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def mails() -> Iterator[Mails]:
    with mail_server() as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, receiver: Hook) -> Project:
    return Project(tmp_path, settings(NOTIFY_URL=receiver.url, NODE_ADDRESS="web1"))


@pytest.fixture
def mailed(tmp_path: Path, receiver: Hook, mails: Mails) -> Project:
    own = {
        "NOTIFY_URL": receiver.url,
        "NOTIFY_MAIL": "ops@example.org, boss@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mails.port),
        "NODE_ADDRESS": "web1",
    }
    return Project(tmp_path, settings(**own))


def memory(project: Project) -> Memory:
    return Store(project.folder, project.settings.app).read()
