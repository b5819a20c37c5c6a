"""Start, list, restart and remove the rehearsal nodes of an operator's folder."""

from pathlib import Path

from deploy.console import output
from deploy.errors import DeployError
from deploy.node.known_hosts import pin, unpin
from deploy.project import Project
from rehearsal import lifecycle
from rehearsal.node import Node, NodeStatus
from rehearsal.ready import Login


def up(project: Project, *, name: str = "", kept: Path | None = None) -> Node:
    """Boot a rehearsal node from the app's Ignition file and pin its host keys.

    The file systems of its spec are folders below `kept`, which outlive the node.

    Raises:
        DeployError: when there is no Ignition file yet.
    """
    if not project.ignition.exists():
        raise DeployError(f"{project.ignition} does not exist", "make it with `fab prepare`")
    made = lifecycle.up(
        name or project.settings.project,
        project.ignition,
        project.folder,
        login=Login(project.settings.node_user, project.identity),
        kept=kept,
        on_step=output.say,
    )
    pin(project.known_hosts, made.address, made.port, made.host_keys)
    output.good(f"node {made.name} is {made.state} at {made.address} after {made.seconds:.1f} s")
    _warn_of_failed_units(made)
    return made


def down(project: Project, name: str) -> None:
    """Remove a node of this folder and its pinned keys."""
    if found := lifecycle.down(name, project.folder):
        _forget(project, found)
        output.good(f"node {name} is gone")
    else:
        output.say(f"there is no node {name}")


def down_all(project: Project) -> None:
    """Remove every node of this folder, and those whose folder no longer exists."""
    gone = lifecycle.down_all(project.folder)
    for one in gone:
        _forget(project, one)
    names = ", ".join(one.name for one in gone)
    output.good(f"nodes gone: {names}" if names else "there is no node of this folder")


def status(folder: Path, *, as_json: bool) -> None:
    """List the rehearsal nodes of this workstation and the operator's folder of each."""
    nodes = lifecycle.status()
    if as_json:
        output.as_json({"nodes": [
            {"name": one.name, "state": one.state, "address": one.address, "boot_id": one.boot_id,
             "folder": str(one.owner) if one.owner else None}
            for one in nodes
        ]})  # fmt: skip
        return
    rows = [(one.name, one.state, one.address, one.boot_id, _whose(one, folder)) for one in nodes]
    output.table("rehearsal nodes", ("name", "state", "address", "boot id", "folder"), rows)


def reboot(project: Project, *, name: str = "") -> None:
    """Restart a node of this folder and wait until it is ready again."""
    made = lifecycle.reboot(
        name or project.settings.project,
        project.folder,
        login=Login(project.settings.node_user, project.identity),
    )
    output.good(f"node {made.name} is {made.state} again after {made.seconds:.1f} s")


def update(project: Project, *, name: str = "", rollback: bool = False) -> None:
    """Restart a node of this folder into the other generation of its system, or back."""
    made = lifecycle.update(
        name or project.settings.project,
        project.folder,
        rollback=rollback,
        login=Login(project.settings.node_user, project.identity),
        on_step=output.say,
    )
    output.good(f"node {made.name} is {made.state} with {made.system} after {made.seconds:.1f} s")
    _warn_of_failed_units(made)


def _warn_of_failed_units(node: Node) -> None:
    for unit in node.failed_units:
        output.warn(f"failed on the node: {unit}")


def _forget(project: Project, node: NodeStatus) -> None:
    if node.address:
        unpin(project.known_hosts, node.address, node.port)


def _whose(node: NodeStatus, folder: Path) -> str:
    if node.owner is None:
        return "none: any folder may remove it"
    return "this one" if node.owner == folder.resolve() else str(node.owner)
