"""Decide what is news: one message for each change of state, and a reminder after a day."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.notify.plan.notice import Finding, Notice

_REMINDED_AFTER = timedelta(days=1)
_REST = timedelta(minutes=1)
_MOST_WAITING = 500


class Told(BaseModel):
    """The last state that was told, and when; in short, since a state may be long."""

    model_config = ConfigDict(frozen=True)

    state: str
    at: datetime
    trouble: bool


class Waiting(BaseModel):
    """A notice, and the receivers that have not taken it yet."""

    model_config = ConfigDict(frozen=True)

    notice: Notice
    receivers: tuple[str, ...]


class Memory(BaseModel):
    """What was told, by what it is of; what waits for receivers, and when each failed last."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    told: dict[str, Told] = {}
    waiting: tuple[Waiting, ...] = ()
    failed: dict[str, datetime] = {}

    def with_news(self, made: Iterable[Notice], receivers: tuple[str, ...]) -> "Memory":
        """Have these notices wait for these receivers; the oldest are dropped above a limit."""
        waiting = (*self.waiting, *(Waiting(notice=one, receivers=receivers) for one in made))
        return self.model_copy(update={"waiting": waiting[-_MOST_WAITING:]})

    def waiting_for(self, receiver: str) -> tuple[Notice, ...]:
        """List the notices that a receiver has not taken, the oldest first."""
        return tuple(one.notice for one in self.waiting if receiver in one.receivers)

    def taken(self, notice: Notice, receiver: str) -> "Memory":
        """Forget a notice that a receiver has taken."""
        left = (
            one.model_copy(
                update={"receivers": tuple(to for to in one.receivers if to != receiver)}
            )
            if one.notice.id == notice.id
            else one
            for one in self.waiting
        )
        failed = {to: at for to, at in self.failed.items() if to != receiver}
        update = {"waiting": tuple(one for one in left if one.receivers), "failed": failed}
        return self.model_copy(update=update)

    def without_others(self, receivers: tuple[str, ...]) -> "Memory":
        """Forget what waits for receivers that are not set any more."""
        kept = (
            one.model_copy(
                update={"receivers": tuple(to for to in one.receivers if to in receivers)}
            )
            for one in self.waiting
        )
        failed = {to: at for to, at in self.failed.items() if to in receivers}
        update = {"waiting": tuple(one for one in kept if one.receivers), "failed": failed}
        return self.model_copy(update=update)

    def with_failure(self, receiver: str, at: datetime) -> "Memory":
        """Note that a receiver did not take what it was sent."""
        return self.model_copy(update={"failed": {**self.failed, receiver: at}})

    def is_resting(self, receiver: str, now: datetime) -> bool:
        """Tell whether a receiver failed so lately that it is not worth another try."""
        failed = self.failed.get(receiver)
        return failed is not None and abs(now - failed) < _REST


@dataclass(frozen=True, slots=True)
class News:
    """A finding to tell, again or not."""

    finding: Finding
    reminder: bool


def decide(
    findings: Iterable[Finding], told: Mapping[str, Told], now: datetime
) -> tuple[tuple[News, ...], dict[str, Told]]:
    """Find what is news; return also what is known as told then."""
    news: list[News] = []
    known = dict(told)
    for one in findings:
        before, state = known.get(one.key), _short(one.state)
        if before and before.state == state:
            # A clock that was wrong may have noted a time to come.
            if not one.trouble or abs(now - before.at) < _REMINDED_AFTER:
                continue
            news.append(News(one, reminder=True))
        elif one.lasting and not (before and before.trouble):
            known.pop(one.key, None)
            continue
        else:
            news.append(News(one, reminder=False))
        if one.lasting:
            known.pop(one.key, None)
        else:
            known[one.key] = Told(state=state, at=now, trouble=one.trouble)
    return tuple(news), known


def _short(state: str) -> str:
    return hashlib.sha256(state.encode(errors="replace")).hexdigest()[:16]
