"""Take an app's lock for a verb, and say for whom one waits."""

from datetime import UTC, datetime

from deploy.console import output
from deploy.node.lock import USUAL_SECONDS, HeldError, Holder, take_lock
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.workstation.git import author


def hold(
    remote: Remote, project: Project, what: str, *, app: str = "", wait_seconds: int = 0
) -> bool:
    """Take the app's lock, or `app`'s, until the connection closes; tell whether it was waited for.

    Raises:
        HeldError: naming who holds it, when it is still held after `wait_seconds`.
    """
    holder = Holder(author(project.folder).who, what, datetime.now(UTC))
    name = app or project.settings.app
    try:
        return take_lock(remote, name, holder)
    except HeldError as error:
        left = wait_seconds - USUAL_SECONDS
        if left <= 0:
            raise
        output.say(f"{error.message}: waiting up to {left} s more")
        take_lock(remote, name, holder, wait_seconds=left)
        return True
