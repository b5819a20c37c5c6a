"""The manifest of a release, and release names."""

from datetime import datetime, timedelta

from pydantic import Field

from deploy.node.answer import AskedApp, Count, Digest, Moment, Real, ReleaseName, Sha256
from deploy.node.schema import Versioned

_FORM = "%Y%m%d-%H%M%S"
_STAMP = len("20300615-120000")


class Manifest(Versioned):
    """What a release consists of; hashes are SHA-256 in lower-case hex.

    `generations` counts how often each credential was sealed, `seconds` is the time of each step,
    `health` the result of the HTTPS check. Older manifests lack the three.
    """

    noun = "manifest"
    release: ReleaseName
    app: AskedApp
    image: str
    image_id: Digest
    certificate: Sha256
    key: Sha256
    units: dict[str, str]
    files: dict[str, str]
    generations: dict[str, Count] = Field(default_factory=dict)
    by: str
    commit: str
    dirty: bool
    at: Moment
    seconds: dict[str, Real] = Field(default_factory=dict)
    health: str = ""


def release_id(now: datetime, suffix: str, after: str = "") -> str:
    """Name a release by its time, so that names sort; the suffix keeps two in a second apart.

    The name sorts behind `after`, the serving release, even if this clock is slow.
    """
    try:
        least = datetime.strptime(after[:_STAMP], _FORM).replace(tzinfo=now.tzinfo)
    except ValueError:
        least = now
    else:
        least += timedelta(seconds=1)
    return f"{max(now, least):{_FORM}}-{suffix}"
