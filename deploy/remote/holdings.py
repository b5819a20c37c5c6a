"""Ask a node for its certificates, keys and credentials."""

from deploy.plan.command import Command
from deploy.plan.holdings import Holdings
from deploy.remote.answer import read_answer
from deploy.remote.remote import Remote
from deploy.settings.model import Settings


def ask_holdings(remote: Remote, settings: Settings) -> Holdings:
    """Ask what the node holds of an app and of its user's keys.

    Raises:
        DeployError: when the node cannot answer.
    """
    wanted = Command("holdings", (settings.app, settings.node_user))
    answer = remote.checked(wanted, "listing certificates, keys and credentials")
    return read_answer(Holdings, answer, "what the node holds")
