"""Tell receivers of notifications whether a node answers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from deploy.errors import NodeUnheardError
from deploy.node import session
from deploy.node.fabric_remote import FabricRemote
from deploy.node.login import Login
from deploy.notify.plan import events
from deploy.notify.plan.events import Where
from deploy.notify.tell import tell
from deploy.project import Project
from deploy.settings.model import Settings


def where(settings: Settings) -> Where:
    """Say which app on which node the settings name."""
    return Where(settings.app, settings.node_address)


@contextmanager
def told_session(project: Project, login: Login | None = None) -> Iterator[FabricRemote]:
    """Log in to the node as `open_session` does; tell when it does not answer, or does again."""
    with ExitStack() as stack:
        with hearing(project):
            remote = stack.enter_context(session.open_session(project, login))
        yield remote


@contextmanager
def hearing(project: Project) -> Iterator[Callable[[str], None]]:
    """Tell when the node does not answer what the block asks, or does again.

    The block gets a function that says why an answer does not tell how the node is now.
    """
    at, reasons = where(project.settings), list[str]()
    try:
        yield reasons.append
    except NodeUnheardError as error:
        tell(project, events.unheard(at, error.message))
        raise
    tell(project, events.unheard(at, reasons[0]) if reasons else events.heard(at))
