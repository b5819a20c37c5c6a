"""Ask a node what it holds of an app: one round trip."""

import base64
from collections.abc import Mapping

from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.state import NodeState


def probe(
    remote: Remote, app: str, *, paths: tuple[str, ...], credentials: Mapping[str, str | None]
) -> NodeState:
    """Ask for the state; a credential with a value is compared on the node, where it stays.

    Raises:
        DeployError: when the node cannot answer.
    """
    answer = remote.checked(
        Command("probe", (app, *paths), credential_lines(credentials)),
        f"reading the state of {app}",
        "the user needs `sudo` without a password, the node podman, jq and systemd-creds",
    )
    return read_answer(NodeState, answer, "the node's state")


def credential_lines(credentials: Mapping[str, str | None]) -> bytes:
    """Write the credentials that a node is to compare; `-` for one without a value."""
    lines = (
        f"{name} {'-' if value is None else base64.b64encode(value.encode()).decode()}\n"
        for name, value in credentials.items()
    )
    return "".join(lines).encode()
