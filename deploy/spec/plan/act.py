"""What brings a place of a running machine in line with its spec."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deploy.spec.plan.machine import Machine

# In the order of execution: a unit is disabled while its file is still there.
Word = Literal[
    "disable", "folder", "file", "link", "remove", "keys", "sysusers", "tmpfiles", "daemon-reload",
    "enable", "firewall", "sysctl", "sshd", "restart",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """One change on the node: `word` names the kind of act, `subject` the path, unit or user."""

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


# Acts that must follow when a file below a folder changes.
_AFTER = {
    "/etc/sysusers.d/": Act("sysusers"),
    "/etc/tmpfiles.d/": Act("tmpfiles"),
    "/etc/systemd/system/": Act("daemon-reload"),
    "/etc/containers/systemd/": Act("daemon-reload"),
    "/etc/corefab/firewall": Act("firewall"),
    "/etc/sysctl.d/": Act("sysctl"),
    "/etc/ssh/": Act("sshd"),
    "/etc/systemd/system/corefab-bundle.timer": Act("restart", "corefab-bundle.timer"),
    "/etc/corefab/metrics/": Act("restart", "corefab-metrics.service"),
    "/etc/systemd/system/corefab-metrics.service": Act("restart", "corefab-metrics.service"),
    "/etc/corefab/otlp/": Act("restart", "corefab-otlp.service"),
    "/etc/systemd/system/corefab-otlp.service": Act("restart", "corefab-otlp.service"),
    "/etc/corefab/os-health/": Act("restart", "corefab-os-health.service"),
    "/etc/systemd/system/corefab-os-health.service": Act("restart", "corefab-os-health.service"),
    "/etc/zincati/": Act("restart", "zincati.service"),
    "/etc/systemd/journald": Act("restart", "systemd-journald.service"),
}


def acts_at(path: str, target: Machine) -> Iterator[Act]:
    """Give the act that brings a path in line with the spec, and those that must follow."""
    place = next((place for place in target.places if place.path == path), None)
    if place is None:
        yield Act("remove", path)
    else:
        owner = "" if place.kind == "link" else place.owner
        yield Act(place.kind, path, place.mode, owner, place.target)
    for below, act in _AFTER.items():
        if path.startswith(below):
            yield act
