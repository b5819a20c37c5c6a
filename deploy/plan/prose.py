"""A plan in words: short, as a deploy shows it, or whole, as `fab plan` does."""

from collections.abc import Iterator

from deploy.plan.deployment import Deployment, FileChange, ImageChange
from deploy.plan.image import megabytes
from deploy.plan.steps import short

_SHOWN_OF_A_HASH = 16


def summary(plan: Deployment) -> Iterator[str]:
    """Give a line for each difference."""
    release = f" (release {plan.was})" if plan.was else ""
    yield f"{plan.app} on {plan.node}{release}:"
    yield from (f"  {reason}" for reason in plan.reasons)


def whole(plan: Deployment) -> Iterator[str]:
    """Give all of a plan, with the diffs, in the order in which it is done."""
    if plan.undo:
        yield f"{plan.app} on {plan.node}:"
        yield f"  first: put back what the unfinished deploy {plan.undo} changed"
        yield "  then: what differs after that is decided anew; run `fab deploy`"
        return
    yield from summary(plan)
    if plan.image:
        yield f"image: {_image(plan.image)}"
    yield from _changes("units", plan.units)
    yield from _changes("project files", plan.files)
    if plan.certificate:
        was, becomes = plan.certificate
        yield f"certificate: SHA-256 {was or 'none'} -> {becomes}"
    for change in plan.credentials:
        numbers = f"generation {change.was or 'none'} -> {change.becomes}"
        yield f"credential {change.name}: {numbers} (the node's is {change.found})"
    yield from _switch(plan)
    yield "steps:"
    yield from (f"  {number}. {step.summary}" for number, step in enumerate(plan.steps, 1))


def _image(change: ImageChange) -> str:
    text = f"{change.name} {short(change.was) or 'none'} -> {short(change.becomes)}"
    if not change.missing and change.layers:
        return f"{text}, nothing to send"
    layers = f"{change.missing} of {change.layers} layers, " if change.layers else ""
    text += f", {layers}at most {change.bytes} bytes ({megabytes(change.bytes)}) to send"
    if change.patched:
        text += f"; {change.patched} of these as a difference from a layer of the node"
    return text


def _changes(what: str, changes: tuple[FileChange, ...]) -> Iterator[str]:
    if changes:
        yield f"{what}:"
    for change in changes:
        yield f"  {change.how} {change.path}{_marks(change)}"
        yield from (f"    {line}" for line in change.diff.splitlines())


def _marks(change: FileChange) -> str:
    """Show the marks where no diff tells more."""
    if change.diff or change.how != "changed":
        return ""
    return f": {_shown(change.was)} -> {_shown(change.becomes)}"


def _shown(mark: str) -> str:
    first, _, rest = mark.partition(" ")
    return f"{first[:_SHOWN_OF_A_HASH]} {rest}".strip()


def _switch(plan: Deployment) -> Iterator[str]:
    yield f"firewall: {plan.firewall}"
    slot = f" in slot {plan.slot}" if plan.slot else ""
    yield f"switch: {plan.switch}{slot}"
    yield f"restarts: {', '.join(plan.restarts) or 'nothing'}"
    if plan.staged_update:
        yield f"the node has an OS update staged ({plan.staged_update}) and may restart for it"
