"""The manifest of a release, and release names."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from deploy.node.answer import AskedApp, Count, Digest, Moment, Real, ReleaseName, Sha256, Value
from deploy.node.schema import Versioned
from deploy.settings.model import Settings
from deploy.settings.types import Address, UrlPath

_FORM = "%Y%m%d-%H%M%S"
_HTTP = 80
_STAMP = len("20300615-120000")


class Proof(Value):
    """How a release takes over, and how it is checked: `path` at the first of its `names`.

    `address` is empty for the node's own. `tls` says who ends TLS: the app, the proxy, or neither.
    """

    path: UrlPath
    address: Address
    port: Annotated[int, Field(ge=1, le=65535)]
    names: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9*._:-]{1,253}$")], ...], Field(min_length=1)
    ]
    switch: Literal["slots", "restart", "socket"]
    tls: Literal["app", "proxy", "none"] = "app"

    @property
    def host(self) -> str:
        """The host name to ask for."""
        name = self.names[0]
        return f"www{name[1:]}" if name.startswith("*") else name


def proof_of(settings: Settings) -> Proof:
    """Say how a release with these settings is checked."""
    return Proof(
        path=settings.health_path,
        address=settings.public_address,
        port=(settings.http_port or _HTTP) if settings.tls == "none" else settings.https_port,
        names=settings.cert_names,
        switch=settings.switch,
        tls=settings.tls,
    )


class Manifest(Versioned):
    """What a release consists of; hashes are SHA-256 in lower-case hex.

    Certificate and key are empty where the app has none of ours. `generations` counts how often
    each credential was sealed, `seconds` is the time of each step, `health` the result of the
    check, `proof` how it is checked. Older manifests lack the four.
    """

    noun = "manifest"
    release: ReleaseName
    app: AskedApp
    image: str
    image_id: Digest
    certificate: Literal[""] | Sha256
    key: Literal[""] | Sha256
    units: dict[str, str]
    files: dict[str, str]
    generations: dict[str, Count] = Field(default_factory=dict)
    by: str
    commit: str
    dirty: bool
    at: Moment
    seconds: dict[str, Real] = Field(default_factory=dict)
    health: str = ""
    proof: Proof | None = None


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
