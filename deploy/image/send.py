"""Send an image to one node or to several at once, without deploying."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from deploy.console import output
from deploy.errors import DeployError
from deploy.image import act
from deploy.image.export.export import Export
from deploy.image.open import open_image
from deploy.image.plan.image import refuse_full_disk, refuse_platform, short
from deploy.image.transfer import Transfer
from deploy.node import session
from deploy.node.login import Login
from deploy.node.remote import Remote
from deploy.node.state import probe
from deploy.project import Project


def image_send(nodes: Sequence[Project], *, events: bool, login: Login | None = None) -> None:
    """Send to each node the parts of IMAGE it lacks; layers are read and compressed once for all.

    `events` prints progress as JSON, one line an event. `login` is an SSH login already under way;
    it is used for the node it belongs to.

    Raises:
        DeployError: when a node did not receive the image; the other nodes did.
    """
    several = len(nodes) > 1
    with ExitStack() as image, ThreadPoolExecutor(len(nodes) + 1) as beside, ExitStack() as logins:
        # Read the image while the login is under way: a new image most probably has to be sent.
        exports = _Exports(nodes[0], len(nodes), image)
        beside.submit(exports.first)
        failed: list[DeployError] = []
        sending = []
        for project in nodes:
            with _collecting(failed, project, several=several):
                # Log in on this thread, so that an interrupt closes the connection.
                remote = logins.enter_context(session.open_session(project, login))
                where = project.settings.node_address if several else ""
                done = beside.submit(_send, remote, project, exports, where=where, events=events)
                sending.append((project, done))
        for project, done in sending:
            with _collecting(failed, project, several=several):
                done.result()
    if failed and several:
        raise DeployError(
            f"{len(failed)} of {len(nodes)} nodes did not receive the image; "
            "see the warnings above",
            failed[0].hint,
        )
    if failed:
        raise failed[0]


@contextmanager
def _collecting(failed: list[DeployError], project: Project, *, several: bool) -> Iterator[None]:
    """Keep the error of a node until the others are done; of several nodes, warn at once."""
    try:
        yield
    except DeployError as error:
        if several:
            output.warn(f"{project.settings.node_address}: {error.message}")
        failed.append(error)


@dataclass(slots=True)
class _Exports:
    """The image for each platform of the nodes, opened when the first of them needs it."""

    project: Project
    nodes: int
    stack: ExitStack
    _opened: dict[str, Export] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def first(self) -> Export:
        """Open the image, before any platform is known."""
        with self._lock:
            return self._open("")

    def export(self, platform: str) -> Export:
        """Open the image for a platform, where there is one."""
        with self._lock:
            first = self._open("")
            if self.nodes == 1:
                first.choose(platform)
            if self.nodes == 1 or platform not in first.image.platforms[1:]:
                return first
            return self._open(platform)

    def _open(self, platform: str) -> Export:
        if platform not in self._opened:
            opened = open_image(self.project, nodes=self.nodes, platform=platform)
            self._opened[platform] = self.stack.enter_context(opened)
        return self._opened[platform]


def _send(remote: Remote, project: Project, exports: _Exports, *, where: str, events: bool) -> None:
    settings = project.settings
    ask_state = partial(probe, remote, settings.app, paths=(), credentials={})
    state = ask_state()
    export = exports.export(state.platform)
    image = export.image
    if image.id in state.images:
        remote.checked(act.tag_image(settings.app, "sent", image.id), f"naming {short(image.id)}")
        output.good(f"nothing to send: {settings.node_address} already has {short(image.id)}")
        return
    refuse_platform(image, state)
    refuse_full_disk(image, state)
    target = session.target(project)
    transfer = Transfer(remote, target, settings, export, where, events)
    transfer.run(state, ask_state)
    output.good(f"{settings.node_address} received {short(image.id)} and verified it")
