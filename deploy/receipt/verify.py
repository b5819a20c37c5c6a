"""Verb: verify receipts: signatures, the chain, and the node's copies."""

from collections import Counter
from collections.abc import Sequence

from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.journal import audit_line, write_audit
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.receipt.check import Checks
from deploy.receipt.list import facts
from deploy.receipt.plan.chain import NodeRelease, Receipts, problems, to_copy, unsigned
from deploy.receipt.sign import Signers
from deploy.receipt.store import give, keep, kept, on_node


def receipts_verify(project: Project, *, here: bool, copy: bool, as_json: bool) -> int:
    """Verify the receipts of an app; with `here`, without asking its node.

    With `copy`, valid receipts that are missing or changed here or on the node are copied there
    before. Return 1 when something is wrong.

    Raises:
        DeployError: when the node does not answer, or there is no receipt at all.
    """
    signers = Signers(project.receipt_signers)
    signers.require()
    checks = Checks(project.settings.app, signers)
    if here:
        found = Receipts(checks.all_of(kept(project)), None)
        return _judge(project, found, (), as_json=as_json)
    with session.open_session(project) as remote:
        found, releases = _read(remote, project, checks)
        if copy and _copied(remote, project, found):
            found, releases = _read(remote, project, checks)
    return _judge(project, found, releases, as_json=as_json)


def _read(
    remote: Remote, project: Project, checks: Checks
) -> tuple[Receipts, tuple[NodeRelease, ...]]:
    copies, releases = on_node(remote, project.settings.app)
    return Receipts(checks.all_of(kept(project)), checks.all_of(copies)), releases


def _copied(remote: Remote, project: Project, found: Receipts) -> bool:
    """Copy valid receipts to where they are missing or changed; return whether there were any."""
    lacking_here, lacking_there = to_copy(found, "here"), to_copy(found, "on the node")
    for one in lacking_here:
        keep(project, one)
    if lacking_there:
        give(remote, project.settings.app, lacking_there)
        count = output.count(len(lacking_there), "receipt")
        write_audit(remote, audit_line(project, "receipts", f"{count} copied to the node"))
    for lacking, where in ((lacking_here, "here"), (lacking_there, "to the node")):
        if lacking:
            output.say(f"{output.count(len(lacking), 'receipt')} copied {where}")
    return bool(lacking_here or lacking_there)


def _judge(
    project: Project, found: Receipts, releases: Sequence[NodeRelease], *, as_json: bool
) -> int:
    app, valid = project.settings.app, found.valid
    if not found.here and not found.there:
        raise DeployError(
            f"there are no receipts of {app}", "a deploy writes one where RECEIPT_KEY is set"
        )
    lacking = tuple(unsigned(releases, found, follows=project.settings.follows))
    wrong = (*problems(found), *(text for text, bad in lacking if bad))
    notes = tuple(text for text, bad in lacking if not bad)
    if as_json:
        output.as_json(
            {
                "receipts": [facts(one) for one in valid.values()],
                "problems": wrong,
                "notes": notes,
            }
        )
        return 1 if wrong else 0
    for text in notes:
        output.say(f"  {text}")
    for text in wrong:
        output.bad(text)
    by = Counter(one.signer for one in valid.values())
    whose = ", ".join(f"{count} by {name}" for name, count in sorted(by.items()))
    line = f"{output.count(len(valid), 'receipt')} of {app} verified: {whose or 'none'}"
    if wrong:
        output.say(f"{line}; {output.count(len(wrong), 'problem')}")
        return 1
    output.good(line)
    return 0
