"""Verb: list the releases of an app."""

from deploy.app.look import looking
from deploy.app.plan.history import KeptRelease, PastRelease, history
from deploy.console import output
from deploy.console.size import size
from deploy.image.plan.image import short
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.endpoint import Endpoint
from deploy.node.journal import read_journal
from deploy.node.release import Proof
from deploy.node.remote import Remote
from deploy.project import Project

_JOURNAL_LINES = 200
_COLUMNS = (
    "release",
    "result",
    "image",
    "files",
    "size",
    "who",
    "commit",
    "took",
    "checked by",
    "detail",
)


def releases(project: Project, *, as_json: bool) -> int:
    """List the releases that the node keeps, and the deploys that failed there.

    Return 1 when the node does not tell how it is now.
    """
    settings = project.settings
    with looking(project) as remote:
        kept = kept_releases(remote, settings.app)
        found = history(kept, read_journal(remote, settings.app, _JOURNAL_LINES))
        code = 1 if remote.trouble else 0
    if as_json:
        output.as_json({"releases": [
            one.model_dump(mode="json") | {"result": one.result} for one in found
        ]})  # fmt: skip
        return code
    title = f"{settings.app} on {settings.node_address}"
    output.table(title, _COLUMNS, [_row(one) for one in found])
    return code


def kept_releases(remote: Remote, app: str) -> tuple[KeptRelease, ...]:
    """Read which releases the node keeps, oldest first.

    Raises:
        DeployError: when the node does not answer.
    """
    answer = remote.checked(Command("releases", (app,)), f"listing the releases of {app}")
    return read_answer(tuple[KeptRelease, ...], answer, "the node's list of releases", app=app)


def _row(one: PastRelease) -> tuple[str, ...]:
    commit = one.commit[:12] + (" (dirty)" if one.dirty else "")
    held = size(one.bytes + one.image_bytes) if one.kept else "gone"
    took = f"{sum(one.seconds.values()):.1f} s" if one.seconds else ""
    image = short(one.image_id)
    files = str(one.files) if one.kept else ""
    proof = _proof(one.proof) if one.proof else ""
    return (one.release, one.result, image, files, held, one.by, commit, took, proof, one.detail)


def _proof(proof: Proof) -> str:
    """Describe how a release is checked: URL, address if it is not the node's, SWITCH."""
    at = f" at {proof.address}" if proof.address else ""
    url = f"https://{Endpoint(proof.address, proof.port, proof.host).authority}{proof.path}"
    return f"{url}{at}, {proof.switch}"
