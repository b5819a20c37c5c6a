"""One change per app and node at a time: a lock that ends with its connection."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.console import output
from deploy.errors import DeployError
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.workstation.git import author

_HELD = 75
# A holder whose connection was just cut may need a moment to notice.
USUAL_SECONDS = 5


class LockHeldError(DeployError):
    """Somebody else holds the lock."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who changes an app, doing what, since when."""

    who: str
    what: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.who} ({self.what}, since {self.since.isoformat(timespec='seconds')})"


def acquire_lock(
    remote: Remote, project: Project, what: str, *, app: str = "", wait_seconds: int = 0
) -> bool:
    """Take the app's lock, or `app`'s, until the connection closes; tell whether it was waited for.

    Raises:
        LockHeldError: naming who holds it, when it is still held after `wait_seconds`.
    """
    holder = Holder(author(project.folder).who, what, datetime.now(UTC))
    name = app or project.settings.app
    try:
        return take_lock(remote, name, holder)
    except LockHeldError as error:
        left = wait_seconds - USUAL_SECONDS
        if left <= 0:
            raise
        output.say(f"{error.message}: waiting up to {left} s more")
        take_lock(remote, name, holder, wait_seconds=left)
        return True


def take_lock(
    remote: Remote, app: str, holder: Holder, *, wait_seconds: int = USUAL_SECONDS
) -> bool:
    """Take the app's lock until the connection closes; tell whether it was waited for.

    What was known of the node before is old when it was.

    Raises:
        LockHeldError: naming who holds it, since when, doing what.
        DeployError: when it cannot be taken at all.
    """
    since = holder.since.isoformat(timespec="seconds")
    told = json.dumps({"who": holder.who, "what": holder.what, "since": since})
    result = remote.hold(Command("lock", (app, told, str(wait_seconds))))
    if result.code == _HELD:
        raise LockHeldError(
            f"{app} is being changed by {_named(result.stderr)}",
            "wait for it to end, or say for how long with `--wait SECONDS`; what will never end "
            'is ended by `fab unlock --reason "…"`',
        )
    if result.stdout.strip() not in {"held", "waited"}:
        raise DeployError(f"the lock of {app} cannot be taken: {result.stderr.strip()}")
    return result.stdout.strip() == "waited"


def break_lock(remote: Remote, app: str, line: str) -> Holder | None:
    """End the connection that holds the app's lock; None where nobody holds it.

    Raises:
        DeployError: when the holder cannot be told or does not end.
    """
    return _holder(remote.checked(Command("unlock", (app, line)), f"unlocking {app}"))


def _named(answer: str) -> str:
    try:
        return str(_holder(answer) or "somebody")
    except DeployError:
        return "somebody"


def _holder(answer: str) -> Holder | None:
    if answer.strip() == "null":
        return None
    return read_answer(Holder, answer, "the holder of the lock")
