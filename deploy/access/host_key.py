"""Verb: another SSH host key for the node, announced beside the old one for a while."""

from deploy.access.act import change_host_keys
from deploy.access.change import change
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.fleet.nodes import Node
from deploy.node.command import Command
from deploy.node.holdings import HostKeys, NodeHostKey
from deploy.node.known_hosts import pin
from deploy.node.remote import Remote
from deploy.node.target import resolve
from deploy.spec.people import read_key

_VERB = "host-key-rotate"


def host_key_rotate(node: Node, *, finish: bool, at_once: bool) -> None:
    """Begin to change a node's host keys, or finish; both keys are pinned here in between.

    In between the node shows the old keys and announces the new ones too, so that colleagues'
    ssh learns the new ones by itself (UpdateHostKeys). Whatever interrupts this, what the node
    shows is pinned here: a key is pinned before it is shown, and unpinned after it is gone.

    Raises:
        DeployError: when there is nothing to finish, or the node cannot change.
    """
    with node.connected() as remote:
        if finish and not change_host_keys(remote, "list").changing:
            raise DeployError(
                f"{node.name} is not changing its host keys", "begin with `fab host-key-rotate`"
            )
        if not finish:
            _begin(node, remote)
    if finish or at_once:
        _finish(node)
    else:
        output.say(
            "ssh learns the new keys by itself as long as the old ones are shown; when everybody "
            "has logged in once, run `fab host-key-rotate --finish`"
        )


def _begin(node: Node, remote: Remote) -> None:
    with progress.step(f"{node.name}: the next host keys are made"):
        held = change_host_keys(remote, "begin")
    with progress.step("they are pinned here, beside the present ones"):
        _pin(node, held)
    with progress.step(f"{node.name}: they are announced beside the present ones"):
        told = f"announced: {_marks(held, coming=True)}"
        change(remote, node.folder, Command("host-key", ("announce",)), _VERB, told)
    with progress.step(f"{node.name}: a second session meets a pinned key"):
        _look(node)


def _finish(node: Node) -> None:
    with (
        progress.step(f"{node.name}: the old host keys are forgotten"),
        node.connected() as remote,
    ):
        gone = _marks(change_host_keys(remote, "list"), coming=False)
        change(remote, node.folder, Command("host-key", ("finish",)), _VERB, f"forgotten: {gone}")
    with progress.step(f"{node.name}: a second session meets a pinned key"):
        held = _look(node)
    with progress.step("only the new ones are pinned here"):
        _pin(node, held)
    for key in held.keys:
        output.good(f"{node.name} shows {key.key.split()[0]} {_fingerprint(key)}")


def _marks(held: HostKeys, *, coming: bool) -> str:
    """Name the next keys, or the present ones."""
    return ", ".join(_fingerprint(key) for key in held.keys if key.next == coming)


def _fingerprint(held: NodeHostKey) -> str:
    found = read_key(held.key)
    return found.fingerprint if found else "unreadable"


def _look(node: Node) -> HostKeys:
    with node.connected() as remote:
        return change_host_keys(remote, "list")


def _pin(node: Node, held: HostKeys) -> None:
    keys = tuple(key.key for key in held.keys)
    pin(node.target.known_hosts, *resolve(node.target), keys)
