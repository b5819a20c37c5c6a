"""Verb: list the receipts that are kept here."""

from deploy.console import output
from deploy.project import Project
from deploy.receipt.check import Checks
from deploy.receipt.plan.chain import Checked
from deploy.receipt.sign import Signers
from deploy.receipt.store import folder_of, kept

_COLUMNS = ("number", "release", "what", "signed by", "made by", "image", "commit", "in place of")
_SHORT = 12


def receipts(project: Project, *, as_json: bool) -> None:
    """Print the receipts of an app that are kept here, the newest first, and who signed each.

    Raises:
        DeployError: when it cannot be told whose keys are whose.
    """
    own = kept(project)
    found = []
    if own:
        signers = Signers(project.receipt_signers)
        signers.require()
        checks = Checks(project.settings.app, signers)
        found = [checks.one(one) for one in reversed(own)]
    show(project, found, as_json=as_json)


def show(project: Project, found: list[Checked], *, as_json: bool) -> None:
    """Print receipts as a table or JSON."""
    if as_json:
        output.as_json({"receipts": [facts(one) for one in found]})
        return
    if not found:
        output.say(
            f"no receipts of {project.settings.app} in {folder_of(project)}: a deploy with "
            "RECEIPT_KEY writes one"
        )
        return
    settings = project.settings
    output.table(
        f"receipts of {settings.app} on {settings.node_address}",
        _COLUMNS,
        [_row(one) for one in found],
    )


def facts(one: Checked) -> dict[str, object]:
    """Give a receipt for programs."""
    stated = one.receipt.model_dump(mode="json") if one.receipt else {}
    return {
        "release": one.signed.release,
        "sha256": one.signed.sha256,
        "signer": one.signer,
        "problem": one.problem,
        "receipt": stated,
    }


def _row(one: Checked) -> tuple[str, ...]:
    receipt = one.receipt
    if receipt is None or one.problem:
        return ("?", one.signed.release, one.problem, *("" for _ in _COLUMNS[3:]))
    manifest = receipt.manifest
    commit = manifest.commit[:_SHORT] + (" (dirty)" if manifest.dirty else "")
    return (
        str(receipt.number),
        manifest.release,
        receipt.what + (f" to {receipt.copies}" if receipt.copies else ""),
        one.signer,
        manifest.by,
        manifest.image_id.removeprefix("sha256:")[:_SHORT],
        commit,
        receipt.replaces,
    )
