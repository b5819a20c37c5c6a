"""A release and its manifest: what an app is on a node at one time."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from deploy.node.schema import Versioned

_FORM = "%Y%m%d-%H%M%S"
_STAMP = len("20300615-120000")


class Manifest(Versioned):
    """All that makes a release; hashes are SHA-256 in lower hex.

    `generations` counts how often each credential was sealed, `seconds` is what each step took,
    `health` is what the proof over HTTPS said. The three are empty in manifests of older corefabs.
    """

    noun = "manifest"
    release: str
    app: str
    image: str
    image_id: str
    certificate: str
    key: str
    units: dict[str, str]
    files: dict[str, str]
    generations: dict[str, int] = Field(default_factory=dict)
    by: str
    commit: str
    dirty: bool
    at: datetime
    seconds: dict[str, float] = Field(default_factory=dict)
    health: str = ""

    def proven(self, seconds: Mapping[str, float]) -> "Manifest":
        """Add what the steps took, of a release that was proven."""
        return self.model_copy(update={"seconds": dict(seconds), "health": "healthy"})


def release_id(now: datetime, suffix: str, after: str = "") -> str:
    """Name a release by its time, so that names sort; the suffix tells two of a second apart.

    It sorts behind `after`, the release that serves, even where this clock is behind the one that
    named that.
    """
    try:
        least = datetime.strptime(after[:_STAMP], _FORM).replace(tzinfo=now.tzinfo)
    except ValueError:
        least = now
    else:
        least += timedelta(seconds=1)
    return f"{max(now, least):{_FORM}}-{suffix}"
