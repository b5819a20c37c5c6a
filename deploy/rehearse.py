"""Verbs: rehearsal nodes up and down, known to this project."""

from collections.abc import Callable
from pathlib import Path

from deploy import report
from deploy.errors import DeployError
from deploy.known_hosts import pin, unpin
from deploy.project import Project
from deploy.settings.model import KNOWN_HOSTS
from rehearsal import lifecycle
from rehearsal.node import Node


def node_up(project: Project, *, name: str = "") -> Node:
    """Boot a rehearsal node from the app's Ignition file and pin its host keys.

    Raises:
        DeployError: when there is no Ignition file yet.
    """
    settings = project.settings
    ignition = project.ignition
    if not ignition.exists():
        raise DeployError(f"{ignition} does not exist", "make it with `fab prepare`")
    chosen = name or settings.project
    made = lifecycle.up(
        chosen,
        ignition,
        identity=project.identity,
        user=settings.node_user,
        on_step=report.say,
    )
    pin(project.known_hosts, made.address, made.port, made.host_keys)
    report.good(f"node {chosen} is {made.state} at {made.address} after {made.seconds:.1f} s")
    for unit in made.failed_units:
        report.warn(f"failed on the node: {unit}")
    return made


def node_down(known_hosts: Path, name: str) -> None:
    """Remove a node and its pinned keys."""
    _forget(known_hosts, lambda found: found == name)
    if lifecycle.down(name):
        report.good(f"node {name} is gone")
    else:
        report.say(f"there is no node {name}")


def node_down_all(folder: Path) -> None:
    """Remove every node; no settings are needed, pins in another file than the usual stay."""
    _forget(folder / KNOWN_HOSTS, lambda _: True)
    names = lifecycle.down_all()
    report.good(f"nodes gone: {', '.join(names)}" if names else "there is no node")


def node_status(*, as_json: bool) -> None:
    """List the nodes."""
    nodes = lifecycle.status()
    if as_json:
        report.as_json({"nodes": [
            {"name": one.name, "state": one.state, "address": one.address, "boot_id": one.boot_id}
            for one in nodes
        ]})  # fmt: skip
        return
    rows = [(one.name, one.state, one.address, one.boot_id) for one in nodes]
    report.table("rehearsal nodes", ("name", "state", "address", "boot id"), rows)


def node_reboot(project: Project, *, name: str = "") -> None:
    """Restart a node and wait until it is ready again."""
    made = lifecycle.reboot(
        name or project.settings.project,
        identity=project.identity,
        user=project.settings.node_user,
    )
    report.good(f"node {made.name} is {made.state} again after {made.seconds:.1f} s")


def _forget(known_hosts: Path, chosen: Callable[[str], bool]) -> None:
    for one in lifecycle.status():
        if one.address and chosen(one.name):
            unpin(known_hosts, one.address, None)
