"""Replace a node's SSH host keys, announcing the new ones to ssh clients first."""

from deploy.access import act
from deploy.access.act import ask_host_keys, run_audited
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.fleet.nodes import Node
from deploy.node.holdings import HostKeys, NodeHostKey
from deploy.node.known_hosts import pin
from deploy.node.remote import Remote
from deploy.node.target import known_as
from deploy.spec.access_key import read_key

_VERB = "host-key-rotate"


def host_key_rotate(node: Node, *, finish: bool, at_once: bool) -> None:
    """Begin to replace a node's host keys, finish it, or do both at once.

    Until it is finished, the node proves itself with the old keys and announces the new ones, which
    colleagues' ssh clients then learn (UpdateHostKeys). Keys are pinned before the node uses them
    and unpinned after it stopped, so an interruption never locks the operator out.

    Raises:
        DeployError: when there is no replacement to finish, or the node refuses.
    """
    with node.connected() as remote:
        if finish and not ask_host_keys(remote).changing:
            raise DeployError(
                f"{node.name} is not changing its host keys", "begin with `fab host-key-rotate`"
            )
        if not finish:
            _begin(node, remote)
    if finish or at_once:
        _finish(node)
    else:
        output.say(
            "both old and new keys work now; ssh clients learn the new ones at their next login. "
            "When everyone has logged in once, run `fab host-key-rotate --finish`"
        )


def _begin(node: Node, remote: Remote) -> None:
    name = node.name
    with progress.step(f"Make new host keys on {name}", f"{name}: new host keys made"):
        keys = ask_host_keys(remote, "begin")
    with progress.step("Pin the new keys beside the old", "new keys pinned beside the old"):
        _pin(node, keys)
    with progress.step(f"Announce the new keys on {name}", f"{name}: new keys announced"):
        detail = f"announced: {_fingerprints(keys, new=True)}"
        run_audited(remote, node.project, act.host_key("announce"), _VERB, detail)
    _check_login(node)


def _finish(node: Node) -> None:
    with (
        progress.step(f"Remove the old keys of {node.name}", f"{node.name}: old keys removed"),
        node.connected() as remote,
    ):
        held = ask_host_keys(remote)
        removed = any(key.next for key in held.keys)
        old = _fingerprints(held, new=False) if removed else "by a run that was interrupted"
        run_audited(remote, node.project, act.host_key("finish"), _VERB, f"removed: {old}")
    keys = _check_login(node)
    with progress.step("Unpin the old keys", "old keys unpinned"):
        _pin(node, keys)
        # Last: until then the command finishes an interrupted change, whose old keys are pinned.
        with node.connected() as remote:
            ask_host_keys(remote, "forget")
    for key in keys.keys:
        output.good(f"{node.name} uses {key.key.split()[0]} {_fingerprint(key)}")


def _check_login(node: Node) -> HostKeys:
    """Log in once more, which fails unless the node shows a pinned key; return its keys."""
    done = f"{node.name}: new login with a pinned key"
    with progress.step(f"Log in to {node.name} again", done), node.connected() as remote:
        return ask_host_keys(remote)


def _pin(node: Node, held: HostKeys) -> None:
    keys = tuple(key.key for key in held.keys)
    pin(node.target.known_hosts, *known_as(node.target), keys)


def _fingerprints(held: HostKeys, *, new: bool) -> str:
    return ", ".join(_fingerprint(key) for key in held.keys if key.next == new)


def _fingerprint(held: NodeHostKey) -> str:
    found = read_key(held.key)
    return found.fingerprint if found else "unreadable"
