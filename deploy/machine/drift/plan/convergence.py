"""Decide the acts that bring a running machine in line with a spec, from its differences."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.machine.drift.plan.difference import Difference
from deploy.node.file import File
from deploy.spec.plan.machine import Machine, Place

Word = Literal[
    "file", "folder", "link", "remove", "keys", "sysusers", "tmpfiles", "daemon-reload", "enable",
    "disable", "firewall", "sysctl", "sshd", "restart",
]  # fmt: skip
# A unit is disabled while its file is still there.
_ORDER: tuple[Word, ...] = (
    "disable", "folder", "file", "link", "remove", "keys", "sysusers", "tmpfiles", "daemon-reload",
    "enable", "firewall", "sysctl", "sshd", "restart",
)  # fmt: skip
# Acts that must follow when a file below a folder changes.
_AFTER: Mapping[str, tuple[Word, str]] = {
    "/etc/sysusers.d/": ("sysusers", ""),
    "/etc/tmpfiles.d/": ("tmpfiles", ""),
    "/etc/systemd/system/": ("daemon-reload", ""),
    "/etc/containers/systemd/": ("daemon-reload", ""),
    "/etc/corefab/firewall": ("firewall", ""),
    "/etc/sysctl.d/": ("sysctl", ""),
    "/etc/ssh/": ("sshd", ""),
    "/etc/zincati/": ("restart", "zincati.service"),
    "/etc/systemd/journald": ("restart", "systemd-journald.service"),
}
_AT_THE_NEXT_BOOT = ("/etc/hostname", "/etc/systemd/zram-generator.conf")


class Act(BaseModel):
    """One change on the node: `word` names the kind of act, `subject` the path, unit or user."""

    model_config = ConfigDict(frozen=True)
    word: Word
    subject: str = ""
    mode: str = ""
    owner: str = ""
    target: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.word, self.subject, self.mode, self.owner) if part)

    @property
    def line(self) -> str:
        """The act as a line for the node's script."""
        return "\t".join((self.word, self.subject, self.mode, self.owner, self.target))


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

    @property
    def at_the_next_boot(self) -> tuple[str, ...]:
        """Changed files that take effect only at the next boot."""
        return tuple(act.subject for act in self.acts if act.subject in _AT_THE_NEXT_BOOT)


def convergence(
    node: str, specs: tuple[str, str], target: Machine, found: Iterable[Difference]
) -> Convergence:
    """Decide the acts; `specs` are the hashes of the node's current spec and of the new one."""
    every = tuple(found)
    ours = tuple(one for one in every if one.remedy == "fab converge")
    acts = {act.line: act for one in ours for act in _acts(one, target)}
    return Convergence(
        node=node,
        was=specs[0],
        becomes=specs[1],
        acts=tuple(sorted(acts.values(), key=lambda act: _ORDER.index(act.word))),
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
    yield from (f"  {path} takes effect at the next boot" for path in plan.at_the_next_boot)
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
        yield from _placed(one, target)
    elif one.what == "key":
        yield Act(word="keys", subject=one.subject.partition(":")[0])
    elif one.what == "unit":
        yield Act(word="enable" if one.expected == "enabled" else "disable", subject=one.subject)
    elif one.what in {"firewall", "sysctl"}:
        yield Act(word=one.what)


def _placed(one: Difference, target: Machine) -> Iterator[Act]:
    place = next((place for place in target.places if place.path == one.subject), None)
    yield _place(place) if place else Act(word="remove", subject=one.subject)
    for below, (word, subject) in _AFTER.items():
        if one.subject.startswith(below):
            yield Act(word=word, subject=subject)


def _place(place: Place) -> Act:
    return Act(
        word=place.kind,
        subject=place.path,
        mode=place.mode,
        owner="" if place.kind == "link" else place.owner,
        target=place.target,
    )
