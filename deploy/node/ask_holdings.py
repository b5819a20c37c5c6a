"""Ask a node for the certificates, keys and credentials that it has."""

from collections.abc import Mapping

from deploy.node import command
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.holdings import HeldAccess, Holdings, HostKeys
from deploy.node.probe import credential_lines
from deploy.node.remote import Remote


def ask_holdings(
    remote: Remote, app: str, user: str, credentials: Mapping[str, str | None]
) -> Holdings:
    """Ask for all of an app's; credentials with a value are compared on the node.

    Raises:
        DeployError: when the node cannot answer.
    """
    wanted = Command("holdings", (app, user), credential_lines(credentials))
    answer = remote.checked(wanted, "listing certificates, keys and credentials")
    return read_answer(Holdings, answer, "what the node holds")


def ask_access(remote: Remote, user: str) -> tuple[HeldAccess, ...]:
    """Ask for the lines that let a user in.

    Raises:
        DeployError: when the node has no such user.
    """
    answer = remote.checked(command.access_list(user), "listing the keys")
    return read_answer(tuple[HeldAccess, ...], answer, f"the SSH keys of {user}")


def change_host_keys(remote: Remote, verb: str) -> HostKeys:
    """Take a step of changing the host keys, or `list` them; answer the keys there are then.

    Raises:
        DeployError: when the node refuses.
    """
    answer = remote.checked(Command("host-key", (verb,)), "reading or changing the host keys")
    return read_answer(HostKeys, answer, "the node's host keys")
