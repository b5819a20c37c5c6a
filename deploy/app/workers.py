"""What an app's supervisor reports about its workers."""

from deploy.node.answer import Count, Real, Value, read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote

_HINT = "the image's label io.corefab.status names it; docs/supervision.md says what it prints"


class Worker(Value):
    """One worker; `last_sign` is the seconds since its last heartbeat."""

    name: str
    state: str
    last_sign: Real | None
    restarts: Count
    reasons: tuple[str, ...]


class Workers(Value):
    """All workers, and the state of the app as a whole."""

    state: str
    workers: tuple[Worker, ...]


def ask_workers(remote: Remote, app: str) -> Workers | None:
    """Ask the app's supervisor for its workers; None where the app has no supervisor.

    Raises:
        DeployError: when the answer is not what a supervisor writes.
    """
    answer = remote.run(Command("workers", (app,))).stdout.strip()
    if answer in {"", "null"}:
        return None
    return read_answer(Workers, answer, "the answer of the app's status command", _HINT)
