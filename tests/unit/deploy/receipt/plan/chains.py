"""Chains of receipts whose signatures are taken as checked."""

from dataclasses import replace

from deploy.node.release import Manifest
from deploy.receipt.plan.chain import Checked, NodeRelease
from deploy.receipt.plan.receipt import Receipt, Signed, stated, write_receipt
from tests.unit.deploy.examples import manifest

NAMES = tuple(f"2030061{day}-120000-ab12" for day in range(1, 9))
OPERATORS = ("ann", "ben")


def made(name: str, **changes: object) -> Manifest:
    """Make the manifest of a release."""
    return manifest(release=name, by=f"{name}@desk").model_copy(update=changes)


def checked(receipt: Receipt, signer: str = "ann") -> Checked:
    """Make a copy of a receipt that was checked."""
    signed = Signed(receipt.manifest.release, write_receipt(receipt), signer.encode())
    return Checked(signed, receipt, signer)


def chain(*names: str) -> dict[str, Checked]:
    """Make the receipts of releases, each of which follows the one before."""
    found: dict[str, Checked] = {}
    before, replaces = "", ""
    for number, name in enumerate(names, 1):
        receipt = Receipt(
            number=number,
            previous=before,
            what="deploy",
            node="web1",
            replaces=replaces,
            copies="",
            manifest=stated(made(name)),
        )
        found[name] = checked(receipt, OPERATORS[number % 2])
        before, replaces = found[name].signed.sha256, name
    return found


def changed(one: Checked, problem: str = "it was changed") -> Checked:
    """Make a copy with which something is wrong."""
    return replace(one, problem=problem)


def kept(manifest: Manifest, **marks: bool) -> NodeRelease:
    """Make a release that a node keeps."""
    usual = {"serves": False, "failed": False, "unfinished": False}
    return NodeRelease(release=manifest.release, manifest=manifest, **usual | marks)
