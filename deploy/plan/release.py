"""A release and its manifest: what an app is on a node at one time."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Manifest(BaseModel):
    """All that makes a release; hashes are SHA-256 in lower hex.

    `generations` counts how often each credential was sealed.
    """

    model_config = ConfigDict(frozen=True)
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


def release_id(now: datetime, suffix: str) -> str:
    """Name a release by its time, so that names sort; the suffix tells two of a second apart."""
    return f"{now:%Y%m%d-%H%M%S}-{suffix}"
