"""Verb: send a test message to each receiver, and say which of them took it."""

from datetime import UTC, datetime

from deploy.console import output
from deploy.errors import DeployError
from deploy.notify.plan import events
from deploy.notify.plan.notice import notice
from deploy.notify.receiver import receivers
from deploy.notify.store import Store
from deploy.notify.tell import new_id, secrets_of, tell
from deploy.project import Project
from deploy.workstation.git import author


def notify_test(project: Project) -> int:
    """Send a message that is not kept, then what waits; return 1 when a receiver fails.

    Raises:
        DeployError: when the settings name no receiver.
    """
    settings = project.settings
    to = receivers(settings)
    if not to:
        raise DeployError(
            "no receiver of notifications is set", "set NOTIFY_URL or NOTIFY_MAIL in .env"
        )
    where = events.Where(settings.app, settings.node_address)
    finding = events.tried(where, author(project.folder).who)
    known = tuple(secrets_of(settings))
    test = notice(finding, new_id(), datetime.now(UTC), reminder=False, secrets=known)
    failed = False
    for one in to:
        try:
            output.good(f"{one.send(test)} took a test message")
        except DeployError as error:
            failed = True
            output.fail(error.message, error.hint)
    tell(project, retry=True)
    left = len(Store(project.folder, settings.app).read().waiting)
    if left:
        output.warn(f"{output.count(left, 'message')} still waiting to be sent")
    return 1 if failed or left else 0
