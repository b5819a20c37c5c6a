"""Verb: bring an image to its node, and nothing else."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deploy import node, report
from deploy.image.local import find_image
from deploy.plan.image import Image, held_as, refuse_full_disk
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
    with ThreadPoolExecutor(1) as beside:
        looking = beside.submit(find_image, folder, settings)
        with node.reached(folder, settings) as remote:
            _send(folder, settings, remote, looking)


def _send(folder: Path, settings: Settings, remote: Remote, looking: Future[Image]) -> None:
    state = _state(remote, settings)
    image = looking.result()
    if held_as(image, state):
        report.good(f"nothing to send: {settings.node_address} holds {short(image.id)}")
        return
    refuse_full_disk(image, state)
    target = node.target(folder, settings)
    transfer = Transfer(remote, target, settings, folder, image)
    held = transfer.run(state, lambda: _state(remote, settings))
    standing = f", as {short(held)}" if held != image.id else ""
    report.good(f"{settings.node_address} holds {short(image.id)}{standing}, proven there")


def _state(remote: Remote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})
