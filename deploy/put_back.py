"""When a deploy fails or is interrupted: put back what served, show why, say so."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy import report
from deploy.errors import DeployError
from deploy.journal import audit_line, write_audit
from deploy.plan import command
from deploy.plan.release import Manifest
from deploy.plan.state import NodeState
from deploy.plan.steps import Kind
from deploy.project import Project
from deploy.prove import prove
from deploy.remote.remote import Remote
from deploy.switching import Switching

_LOG_LINES = 20
_PROOF_SECONDS = 60


@contextmanager
def put_back(
    switching: Switching, before: NodeState, *, proof_seconds: float = _PROOF_SECONDS
) -> Iterator[list[str]]:
    """Run a block; whatever ends it early, the node gets back what `before` says it served.

    The block gets a list to name its steps in: before the new release is started, no log says
    what went wrong.

    Raises:
        DeployError: the block's own, with the app's last log lines and what serves now.
        BaseException: whatever else ended it, such as Ctrl-C, after putting back.
    """
    begun: list[str] = []
    try:
        yield begun
    except DeployError as error:
        logs = _logs(switching) if "start" in begun else ""
        served = _put_back(switching, before, proof_seconds)
        raise DeployError(f"{error.message}{logs}\n{served}", error.hint) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            report.say("interrupted")
        report.say(_put_back(switching, before, proof_seconds))
        raise


@contextmanager
def retiring_told(kind: Kind) -> Iterator[None]:
    """Run a step; that the old slot is not stopped yet is no failure of a release that serves."""
    try:
        yield
    except DeployError as error:
        if kind != "retire":
            raise
        report.warn(
            f"{error.message}; the release is written down and serves, and the old slot stops by "
            "itself or with the next `fab deploy`"
        )


def undo(remote: Remote, project: Project, unfinished: str) -> None:
    """Put back what an unfinished deploy changed, and write that down.

    Raises:
        DeployError: when the node cannot.
    """
    with report.step(f"put back what the unfinished deploy {unfinished} changed"):
        result = remote.run(command.undo(project.settings.app))
        if result.code:
            raise DeployError(f"undo failed on the node: {result.stderr.strip()}")
    line = audit_line(project, "undo", "a deploy that did not end was put back")
    write_audit(remote, line.model_copy(update={"release": unfinished}))


def _put_back(switching: Switching, before: NodeState, proof_seconds: float) -> str:
    app = switching.app
    try:
        result = switching.remote.run(command.undo(app))
    except DeployError as error:
        return f"{error.message}: the next `fab deploy` puts back what this one changed"
    if result.code:
        return f"putting back failed: {result.stderr.strip()}; the next `fab deploy` tries again"
    if result.stdout.strip() == switching.release:
        return f"release {switching.release} serves: it had been proven and written down"
    if before.manifest is None:
        return f"{app} is as it was" + ("" if before.slot else ": nothing deployed")
    if (serves := result.stdout.strip()) not in {"", before.manifest.release}:
        return f"release {serves} serves, which somebody else deployed meanwhile"
    return _proof(switching, before.manifest, proof_seconds)


def _proof(switching: Switching, before: Manifest, proof_seconds: float) -> str:
    path, release = switching.settings.health_path, before.release
    try:
        prove(switching.endpoint, path, before.certificate, timeout_seconds=proof_seconds)
    except DeployError as error:
        return f"release {release} was put back, but does not answer: {error.message}"
    return f"release {release} serves again, proven over HTTPS"


def _logs(switching: Switching) -> str:
    app, release = switching.app, switching.release
    try:
        result = switching.remote.run(command.logs(app, _LOG_LINES, release))
    except DeployError:
        return ""
    lines = result.stdout.strip().splitlines()
    shown = "\n".join(f"  | {line}" for line in lines)
    kept = f"it is kept, stopped: `fab logs --release {release}`"
    return f"\nlast lines of release {release} ({kept}):\n{shown}" if lines else ""
