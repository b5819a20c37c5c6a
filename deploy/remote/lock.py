"""One change per app and node at a time: a lock that ends with its connection."""

import json
from datetime import datetime

from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.remote.remote import Remote

_HELD = 75


def take_lock(remote: Remote, app: str, *, who: str, what: str, now: datetime) -> None:
    """Take the app's lock until the connection closes.

    Raises:
        DeployError: naming who holds it, since when, doing what.
    """
    holder = {"who": who, "what": what, "since": now.isoformat(timespec="seconds")}
    result = remote.hold(Command("lock", (app, json.dumps(holder))))
    if result.code == _HELD:
        raise DeployError(
            f"{app} is being changed by {_named(result.stderr)}", "wait for it to end"
        )
    if result.stdout.strip() != "held":
        raise DeployError(f"the lock of {app} cannot be taken: {result.stderr.strip()}")


def _named(answer: str) -> str:
    try:
        holder = json.loads(answer)
        return f"{holder['who']} ({holder['what']}, since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "somebody"
