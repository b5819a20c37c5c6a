"""Verb: bring an image to its node, and nothing else."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from deploy import node, report
from deploy.image.export import Export
from deploy.image.local import open_image
from deploy.plan.image import refuse_full_disk
from deploy.plan.state import NodeState
from deploy.plan.steps import short
from deploy.remote.probe import probe
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.transfer import Transfer


def image_send(folder: Path, settings: Settings, *, events: bool) -> None:
    """Send what the node lacks of IMAGE; `events` writes progress as JSON, a line each.

    Raises:
        DeployError: when no way to send it works.
    """
    report.progress_as_events(on=events)
    with ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        # Read while the login is under way: an image that was never read is most probably new.
        looking = beside.submit(lambda: stack.enter_context(open_image(folder, settings)))
        with node.reached(folder, settings) as remote:
            _send(folder, settings, remote, looking)


def _send(folder: Path, settings: Settings, remote: Remote, looking: Future[Export]) -> None:
    state = _state(remote, settings)
    export = looking.result()
    image = export.image
    if image.id in state.images:
        report.good(f"nothing to send: {settings.node_address} holds {short(image.id)}")
        return
    refuse_full_disk(image, state)
    transfer = Transfer(remote, node.target(folder, settings), settings, export)
    transfer.run(state, lambda: _state(remote, settings))
    report.good(f"{settings.node_address} holds {short(image.id)}, proven there")


def _state(remote: Remote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})
