"""Make the receipt of a release, before anything of it is on the node."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deploy.console import output
from deploy.errors import DeployError
from deploy.node.release import Manifest
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.receipt.check import Checks
from deploy.receipt.plan.receipt import (
    Receipt,
    Signed,
    Stated,
    differences_of_copy,
    next_number,
    read_receipt,
    stated,
    write_receipt,
)
from deploy.receipt.sign import Signers, on_security_key, sign
from deploy.receipt.store import kept, last_on_node

_LOOK = "`fab receipts-verify` says what is wrong"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a release comes about: by `what`, in place of a release, as a copy of another."""

    what: str
    replaces: str
    copies: str = ""


def make_receipt(
    remote: Remote, project: Project, manifest: Manifest, origin: Origin
) -> Signed | None:
    """Sign the receipt that follows the last one; None without RECEIPT_KEY.

    Raises:
        DeployError: when it cannot be signed, or a kept release is not what its receipt states.
    """
    own = kept(project)
    key = project.receipt_key
    if key is None:
        if own:
            output.warn(
                f"{manifest.app} has receipts, and this release gets none: RECEIPT_KEY is not set"
            )
        return None
    _refuse_changed(own, stated(manifest), origin.copies)
    before, last = _last(remote, project, own)
    receipt = Receipt(
        number=next_number(before),
        previous=last.sha256 if last else "",
        what=origin.what,
        node=project.settings.node_address,
        replaces=origin.replaces,
        copies=origin.copies,
        manifest=stated(manifest),
    )
    content = write_receipt(receipt)
    if on_security_key(key):
        output.say("touch the security key that signs the receipt")
    made = Signed(manifest.release, content, sign(content, key))
    output.good(f"receipt {receipt.number} signed with {key}")
    return made


def _refuse_changed(own: Iterable[Signed], copy: Stated, original: str) -> None:
    """Refuse to sign a copy of a release that the node has changed since it was signed."""
    differing: tuple[str, ...] = ()
    for one in own:
        # One here that cannot be read is for `fab receipts-verify` to name.
        if one.release == original and (receipt := _read(one, copy.app)):
            differing = differences_of_copy(copy, receipt)
    if differing:
        raise DeployError(
            f"release {original} of the node is not what its receipt states: "
            f"{', '.join(differing)}. It is not signed again",
            "`fab receipts-verify` says what else is wrong; `fab deploy` makes a release of what "
            "is here",
        )


def _last(
    remote: Remote, project: Project, own: Sequence[Signed]
) -> tuple[Receipt | None, Signed | None]:
    """Choose the receipt to follow: the last one here, or a later one of the node's.

    One that does not count is passed over: what is wrong must not keep anyone from deploying.
    """
    here = _counting(project, "here", own[-1] if own else None)
    there = _counting(project, "on the node", last_on_node(remote, project.settings.app))
    if here is None or there is None:
        return here or there or (None, None)
    if there[0].number > here[0].number:
        return there
    if there[1].content != here[1].content:
        output.warn(f"the node's last receipt is not the last one here: {_LOOK}")
    return here


def _counting(project: Project, place: str, last: Signed | None) -> tuple[Receipt, Signed] | None:
    if last is None:
        return None
    app, signers = project.settings.app, Signers(project.receipt_signers)
    receipt, problem = _read(last, app), "it cannot be read"
    if receipt:
        known = signers.file.is_file()
        problem = Checks(app, signers).one(last).problem if known else ""
        if not problem:
            return receipt, last
    output.warn(
        f"the last receipt {place}, of release {last.release}, does not count: {problem}; {_LOOK}"
    )
    return None


def _read(one: Signed, app: str) -> Receipt | None:
    try:
        return read_receipt(one.content, app)
    except DeployError:
        return None
