"""Ask a node what an app's supervisor says of its workers."""

from deploy.app.workers import Workers
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote

_HINT = "the image's label io.corefab.status names it; docs/supervision.md says what it prints"


def ask_workers(remote: Remote, app: str) -> Workers | None:
    """Ask for the workers; None where the app has no supervisor.

    Raises:
        DeployError: when the answer is not what a supervisor writes.
    """
    said = remote.run(Command("workers", (app,))).stdout.strip()
    if said in {"", "null"}:
        return None
    return read_answer(Workers, said, "the answer of the app's status command", _HINT)
