"""Wait for nodes that take an image first: it has to serve there, well, for some minutes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from certs.keyfile import PrivateKey
from deploy.app.health import visit
from deploy.app.look import looking
from deploy.app.operator import open_operator_key
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.pull_result import WELL, Look
from deploy.node.release import proof_of
from deploy.node.remote import Remote
from deploy.node.state import probe
from deploy.project import Project
from deploy.registry.plan.reference import Reference
from deploy.settings.load import read_instances

_POLL_SECONDS = 15
# For the canary to take the image: its node may look once an hour, up to PULL_SPREAD later.
_PATIENCE_SECONDS = 2 * 3600


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an image on a node: whether it serves, and what is wrong."""

    serves: bool
    problem: str = ""
    # It was tried there, and did not serve: waiting longer changes nothing.
    failed: bool = False


def canaries_of(project: Project, reference: Reference) -> tuple[Project, ...]:
    """List the folder's instances that follow a tag.

    Raises:
        DeployError: when there is none.
    """
    found = tuple(
        replace(project, settings=one)
        for one in read_instances(project.folder)
        if one.follows and Reference.parse(one.pull) == reference
    )
    if not found:
        raise DeployError(
            f"no instance here follows {reference}, so there is nothing to watch",
            f"write an .env.NAME with PULL={reference} for the node that takes it first",
        )
    return found


def watch(canaries: Sequence[Project], image: str, *, minutes: int) -> None:
    """Wait until each canary serves an image by its digest, well, for so many minutes.

    Raises:
        DeployError: when one does not take it, or it does not stay well.
    """
    names = ", ".join(one.settings.app for one in canaries)
    # Opened once: its password may be typed in.
    closed = next((one for one in canaries if session.is_closed(one.settings)), None)
    key = open_operator_key(closed) if closed else None
    with progress.step(f"Watch {names}", f"{names} served it well for {minutes} min"):
        since: float | None = None
        until = time.monotonic() + _PATIENCE_SECONDS
        while since is None or time.monotonic() < since + 60 * minutes:
            found = {one.settings.app: _seen(one, image, key) for one in canaries}
            for app, seen in found.items():
                _refuse(app, seen, served=since is not None)
            if all(seen.serves and not seen.problem for seen in found.values()):
                since = time.monotonic() if since is None else since
            elif time.monotonic() > until:
                raise _given_up(found)
            time.sleep(_POLL_SECONDS)


def _refuse(app: str, seen: Seen, *, served: bool) -> None:
    if seen.failed:
        raise DeployError(
            f"{app} has tried this image, and it did not serve: {seen.problem}",
            "the tag was left alone; `fab withdraw` has the canary go back",
        )
    if served and (seen.problem or not seen.serves):
        why = seen.problem or "another release serves"
        raise DeployError(
            f"{app} did not stay well with this image: {why}",
            "the tag was left alone; look at it with `fab status`",
        )


def _given_up(found: dict[str, Seen]) -> DeployError:
    late = [f"{app} ({one.problem or 'another image serves'})" for app, one in found.items()]
    return DeployError(
        f"not served well within {_PATIENCE_SECONDS // 3600} hours: {', '.join(late)}",
        "the tag was left alone; does the node look at its registry (`fab pull-status`)?",
    )


def _seen(project: Project, image: str, key: PrivateKey | None) -> Seen:
    """Look at one canary; what cannot be seen now may be seen later."""
    try:
        with looking(project, key=key) as remote:
            return _judge(project, remote, image)
    except DeployError as error:
        output.warn(f"{project.settings.app}: {error.message}")
        return Seen(serves=False, problem=error.message)


def _judge(project: Project, remote: Remote, image: str) -> Seen:
    app = project.settings.app
    state = probe(remote, app)
    look = read_answer(
        Look, remote.checked(Command("pull-status", (app,)), "reading the last look"), "the look"
    )
    tried = look.digest == image and look.result not in WELL
    if tried and look.result in {"failed", "held-back", "refused"}:
        return Seen(serves=False, problem=f"{look.result}: {look.why}", failed=True)
    manifest = state.manifest
    if manifest is None or not manifest.image.endswith(f"@{image}"):
        return Seen(serves=False)
    if remote.trouble:
        return Seen(serves=True, problem=remote.trouble)
    if state.active != "active":
        return Seen(serves=True, problem=f"its unit is {state.active}")
    proof = manifest.proof or proof_of(project.settings)
    found = visit(session.endpoints(project, proof), proof.path, manifest.certificate)
    return Seen(serves=True, problem=found.problem)
