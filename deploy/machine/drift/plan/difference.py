"""A difference between a node and its machine spec or release."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

_SHOWN_OF_A_HASH = 16
What = Literal[
    "file", "mode", "owner", "unit", "firewall", "user", "key", "sysctl", "credential",
    "project file", "container", "kernel argument", "disk",
]  # fmt: skip
Remedy = Literal["fab deploy", "fab deploy --force", "fab converge", "reinstall", "by hand"]


class Difference(BaseModel):
    """One difference: expected and found values, since when, and what fixes it."""

    model_config = ConfigDict(frozen=True)
    what: What
    subject: str
    expected: str
    found: str
    since: datetime | None
    remedy: Remedy


def difference(
    about: tuple[What, str], expected: str, found: str, since: int | None, remedy: Remedy
) -> Difference:
    """Make a difference; `about` is its kind and subject, `since` is in seconds since 1970."""
    when = None if since is None else datetime.fromtimestamp(since, UTC)
    return Difference(
        what=about[0], subject=about[1], expected=expected, found=found, since=when, remedy=remedy
    )


def shown(fingerprint: str) -> str:
    """Shorten the hash in a fingerprint, for display."""
    first, _, rest = fingerprint.partition(" ")
    return f"{first[:_SHOWN_OF_A_HASH]} {rest}".strip()
