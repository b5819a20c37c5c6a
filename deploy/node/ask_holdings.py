"""Ask a node for the certificates, keys and credentials that it has."""

from collections.abc import Mapping

from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.holdings import Holdings
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
