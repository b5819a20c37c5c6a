"""Tell receivers what was found: each change once, within limited seconds, whatever fails."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import methodcaller
from threading import Thread

from pydantic import SecretStr

from deploy.console import output
from deploy.errors import DeployError
from deploy.notify.plan.memory import Memory, decide
from deploy.notify.plan.notice import Finding, notice
from deploy.notify.post import RefusedError
from deploy.notify.receiver import Receiver, receivers
from deploy.notify.store import Store
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.settings.secrets import seen

_LONGEST_SECONDS = 15.0


def tell(project: Project, *findings: Finding, retry: bool = False) -> None:
    """Tell what is news to the receivers that the settings name, and what waits for them.

    A receiver that has just failed is left alone unless there is news, or with `retry`. What
    fails is a warning: the command goes on. It waits for a receiver for a few seconds.
    """
    to = receivers(project.settings)
    if not to:
        return
    store = Store(project.folder, project.settings.app)
    problems: list[str] = []
    try:
        fresh = _note(store, project.settings, to, findings)
        due = _due(store, to, fresh=fresh or retry)
        if due:
            _send_within_limit(store, due, problems)
    except DeployError as error:
        problems.append(error.message)
    for one in dict.fromkeys(problems):
        output.warn(f"notification not sent: {one}; a later command sends it")


def secrets_of(settings: Settings) -> Iterator[str]:
    """List the secrets of these settings, and those that were fetched or typed in."""
    values = [value for _, value in settings if isinstance(value, SecretStr)]
    values += (settings.secrets or {}).values()
    yield from (one.get_secret_value() for one in values)
    yield from seen()


def _due(store: Store, to: tuple[Receiver, ...], *, fresh: bool) -> tuple[Receiver, ...]:
    """Find the receivers to try now: not one that has just failed, unless there is news."""
    memory, at = store.read(), now()
    return tuple(
        one
        for one in to
        if memory.waiting_for(one.name) and (fresh or not memory.is_resting(one.name, at))
    )


def _send_within_limit(store: Store, due: tuple[Receiver, ...], problems: list[str]) -> None:
    """Send in a thread: names are looked up for as long as the system likes."""
    thread = Thread(target=_send, args=(store, due, problems), daemon=True)
    thread.start()
    thread.join(_LONGEST_SECONDS)
    if thread.is_alive():
        problems.append(f"a receiver has not answered for {_LONGEST_SECONDS:.0f} s")


def _send(store: Store, due: tuple[Receiver, ...], problems: list[str]) -> None:
    try:
        with store.sending():
            for one in due:
                _send_waiting(store, one, problems)
    except DeployError as error:
        problems.append(error.message)


def _note(
    store: Store, settings: Settings, to: tuple[Receiver, ...], findings: tuple[Finding, ...]
) -> bool:
    """Note what is news, to be sent; tell whether there is any."""
    names, at = tuple(one.name for one in to), now()
    fresh = False

    def change(memory: Memory) -> Memory:
        nonlocal fresh
        news, told = decide(findings, memory.told, at)
        fresh = bool(news)
        known = tuple(secrets_of(settings)) if news else ()
        made = [
            notice(one.finding, new_id(), at, reminder=one.reminder, secrets=known) for one in news
        ]
        kept = memory.without_others(names).model_copy(update={"told": told})
        return kept.with_news(made, names)

    store.change(change)
    return fresh


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def new_id() -> str:
    """Make the id of a notice."""
    return f"cf_{secrets.token_hex(12)}"


def _send_waiting(store: Store, to: Receiver, problems: list[str]) -> None:
    """Send what waits for a receiver, the oldest first, until it fails."""
    for one in store.read().waiting_for(to.name):
        try:
            to.send(one)
        except DeployError as error:
            problems.append(error.message)
            failed = methodcaller("with_failure", to.name, now())
            store.change(failed)
            if not isinstance(error, RefusedError):
                return
        else:
            store.change(methodcaller("taken", one, to.name))
