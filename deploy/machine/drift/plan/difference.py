"""A difference between a node and its machine spec or release."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

_SHOWN_OF_A_HASH = 16
What = Literal[
    "file", "mode", "owner", "unit", "firewall", "user", "key", "sysctl", "credential",
    "project file", "container", "kernel argument", "disk",
]  # fmt: skip
Remedy = Literal[
    "fab deploy", "fab deploy --force", "fab proxy-deploy", "fab proxy-deploy --force",
    "fab converge", "fab publish --node", "fab node-command reboot", "reinstall", "by hand",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: expected and found values, since when, and what fixes it."""

    what: What
    subject: str
    expected: str
    found: str
    since: datetime | None = None
    remedy: Remedy = "fab converge"


def shown(fingerprint: str) -> str:
    """Shorten the hash in a fingerprint, for display."""
    first, _, rest = fingerprint.partition(" ")
    return f"{first[:_SHOWN_OF_A_HASH]} {rest}".strip()
