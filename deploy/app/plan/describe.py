"""A plan as text: the summary that a deploy prints, and all of it for `fab plan`."""

from collections.abc import Iterator, Sequence

from deploy.app.plan.changes import FileChange, ImageChange
from deploy.app.plan.plan import Plan
from deploy.console.size import size
from deploy.image.plan.image import short

_SHOWN_OF_A_HASH = 16


def summary(plan: Plan) -> Iterator[str]:
    """Write a line for each reason to deploy."""
    release = f" (release {plan.was})" if plan.was else ""
    yield f"{plan.app} on {plan.node}{release}:"
    yield from (f"  {reason}" for reason in plan.reasons)


def describe(plan: Plan) -> Iterator[str]:
    """Write the whole plan: changes with their diffs, then the steps."""
    if plan.undo:
        yield f"{plan.app} on {plan.node}:"
        yield f"  first: undo the unfinished deploy {plan.undo}"
        yield "  then: plan again; `fab deploy` does both"
        return
    yield from summary(plan)
    if plan.image:
        yield f"image: {_image(plan.image)}"
    yield from _changes("units", plan.units)
    yield from _changes("project files", plan.files)
    if plan.certificate:
        change = plan.certificate
        yield f"certificate: SHA-256 {change.was or 'none'} -> {change.becomes}"
    for one in plan.credentials:
        numbers = f"generation {one.was or 'none'} -> {one.becomes}"
        yield f"credential {one.name}: {numbers} (the node's is {one.found})"
    yield from _switch(plan)
    yield "steps:"
    yield from (f"  {number}. {step.title}" for number, step in enumerate(plan.steps, 1))


def _image(change: ImageChange) -> str:
    text = f"{change.name} {short(change.was) or 'none'} -> {short(change.becomes)}"
    if not change.missing and change.layers:
        return f"{text}, nothing to send"
    layers = f"{change.missing} of {change.layers} layers, " if change.layers else ""
    text += f", {layers}at most {size(change.bytes)} to send"
    if change.patched:
        text += f"; {change.patched} of these as a patch against a layer on the node"
    return text


def _changes(what: str, changes: Sequence[FileChange]) -> Iterator[str]:
    if changes:
        yield f"{what}:"
    for change in changes:
        yield f"  {change.how} {change.path}{_marks(change)}"
        yield from (f"    {line}" for line in change.diff.splitlines())


def _marks(change: FileChange) -> str:
    """Show hash and mode of a changed file that has no diff."""
    if change.diff or change.how != "changed":
        return ""
    return f": {_shown(change.was)} -> {_shown(change.becomes)}"


def _shown(mark: str) -> str:
    first, _, rest = mark.partition(" ")
    return f"{first[:_SHOWN_OF_A_HASH]} {rest}".strip()


def _switch(plan: Plan) -> Iterator[str]:
    yield f"firewall: {plan.firewall}"
    slot = f" in slot {plan.slot}" if plan.slot else ""
    yield f"switch: {plan.switch}{slot}"
    yield f"restarts: {', '.join(plan.restarts) or 'nothing'}"
    if plan.staged_update:
        yield f"the node has an OS update staged ({plan.staged_update}) and may restart for it"
