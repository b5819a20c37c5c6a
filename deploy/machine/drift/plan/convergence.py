"""Decide the acts that bring a running machine in line with a spec, from its differences."""

from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import BaseModel, ConfigDict

from deploy.machine.drift.plan.difference import Difference
from deploy.node.file import File
from deploy.spec.plan.act import Act, Word, acts_at
from deploy.spec.plan.machine import Machine

_ORDER: tuple[Word, ...] = get_args(Word)
_AT_THE_NEXT_BOOT = ("/etc/hostname", "/etc/systemd/zram-generator.conf")


class Convergence(BaseModel):
    """Acts in execution order; the differences that they fix, and those left to other commands."""

    model_config = ConfigDict(frozen=True)
    node: str
    was: str
    becomes: str
    acts: tuple[Act, ...]
    differences: tuple[Difference, ...]
    left: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return bool(self.acts)


def convergence(
    node: str, specs: tuple[str, str], target: Machine, found: Iterable[Difference]
) -> Convergence:
    """Decide the acts; `specs` are the hashes of the node's current spec and of the new one."""
    every = tuple(found)
    ours = tuple(one for one in every if one.remedy == "fab converge")
    acts = dict.fromkeys(act for one in ours for act in _acts(one, target))
    return Convergence(
        node=node,
        was=specs[0],
        becomes=specs[1],
        acts=tuple(sorted(acts, key=lambda act: _ORDER.index(act.word))),
        differences=ours,
        left=tuple(one for one in every if one.remedy != "fab converge"),
    )


def describe(plan: Convergence) -> Iterator[str]:
    """Describe a convergence line by line: differences, acts, and what other commands must fix."""
    if not plan and not plan.left:
        yield f"nothing to do: {plan.node} matches its machine spec"
        return
    yield f"{plan.node} (spec {plan.was[:12] or 'unknown'} -> {plan.becomes[:12]}):"
    for one in plan.differences:
        yield f"  {one.what} {one.subject}: {one.found} -> {one.expected}"
    if plan.acts:
        yield "acts, undone unless a new login succeeds afterwards:"
    yield from (f"  {number}. {act}" for number, act in enumerate(plan.acts, 1))
    for act in plan.acts:
        if act.subject in _AT_THE_NEXT_BOOT:
            yield f"  {act.subject} takes effect at the next boot"
    for one in plan.left:
        what = f"{one.what} {one.subject}: {one.found}, not {one.expected}"
        yield f"not fixed by this command: {what} (fix with: {one.remedy})"


def payload(plan: Convergence, target: Machine) -> list[File]:
    """List the files to send: the acts, and the content that they write."""
    content = {place.path: place.content for place in target.places}
    keys = {person.name: person.keys for person in target.people}
    files = [File("acts", "".join(f"{act.line}\n" for act in plan.acts).encode())]
    for act in plan.acts:
        if act.word == "file":
            files.append(File(f"new{act.subject}", content[act.subject] or b"", 0o600))
        if act.word == "keys":
            lines = "".join(f"{key}\n" for key in keys[act.subject])
            files.append(File(f"keys/{act.subject}", lines.encode(), 0o600))
    return files


def _acts(one: Difference, target: Machine) -> Iterator[Act]:
    if one.what in {"file", "mode", "owner"}:
        yield from acts_at(one.subject, target)
    elif one.what == "key":
        yield Act("keys", one.subject.partition(":")[0])
    elif one.what == "unit":
        yield Act("enable" if one.expected == "enabled" else "disable", one.subject)
    elif one.what in {"firewall", "sysctl"}:
        yield Act(one.what)
