"""An app's lock on a node: acquire it, wait for it, break it. It ends with its connection."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.console import output
from deploy.errors import DeployError
from deploy.node.answer import Moment, read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.workstation.git import author

_HELD = 75
# The node may need a moment to notice that a holder's connection broke.
USUAL_SECONDS = 5


class LockHeldError(DeployError):
    """The lock is held by another command."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, for which command, since when."""

    who: str
    what: str
    since: Moment

    def __str__(self) -> str:
        return f"{self.who} ({self.what}, since {self.since.isoformat(timespec='seconds')})"


def acquire_lock(
    remote: Remote, project: Project, what: str, *, app: str = "", wait_seconds: int = 0
) -> bool:
    """Acquire the app's lock, or `app`'s, until the connection closes; tell whether it waited.

    After waiting, the node's state may have changed. While waiting, print who holds the lock.

    Raises:
        LockHeldError: when it is still held after `wait_seconds`.
        DeployError: when the node cannot lock.
    """
    holder = Holder(author(project.folder).who, what, datetime.now(UTC))
    name = app or project.settings.app
    try:
        return _take(remote, name, holder)
    except LockHeldError as error:
        left = wait_seconds - USUAL_SECONDS
        if left <= 0:
            raise
        output.say(f"{error.message}: waiting up to {left} s more")
        _take(remote, name, holder, wait_seconds=left)
        return True


def _take(remote: Remote, app: str, holder: Holder, *, wait_seconds: int = USUAL_SECONDS) -> bool:
    since = holder.since.isoformat(timespec="seconds")
    described = json.dumps({"who": holder.who, "what": holder.what, "since": since})
    result = remote.hold(Command("lock", (app, described, str(wait_seconds))))
    if result.code == _HELD:
        raise LockHeldError(
            f"{app} is being changed by {_named(result.stderr)}",
            "wait for it to end, or run this with `--wait SECONDS`; to break it: "
            '`fab unlock --reason "…"`',
        )
    if result.stdout.strip() not in {"held", "waited"}:
        raise DeployError(f"the lock of {app} cannot be acquired: {result.stderr.strip()}")
    return result.stdout.strip() == "waited"


def break_lock(remote: Remote, app: str, line: str) -> Holder | None:
    """End the connection that holds the app's lock; return its holder, None if it was free.

    Raises:
        DeployError: when the holder is unknown or does not end.
    """
    return _holder(remote.checked(Command("unlock", (app, line)), f"unlocking {app}"))


def _named(answer: str) -> str:
    try:
        return str(_holder(answer) or "an unknown holder")
    except DeployError:
        return "an unknown holder"


def _holder(answer: str) -> Holder | None:
    if answer.strip() == "null":
        return None
    return read_answer(Holder, answer, "the holder of the lock")
