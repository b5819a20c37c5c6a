"""Certificates, keys and credentials as a node has them."""

from pydantic import BaseModel, ConfigDict

# What a sealed credential begins with (systemd's creds-util.h).
_SEALS = {
    "5a1c6a86df9d4096b1d5a65e0862f19a": "host",
    "55b9ed1d38594d43a8319d2ebb332ac6": "host",
    "0c7cc07b117645919c4b0bea08bc20fe": "tpm2",
    "faf7eb9341e3412ca1a436f95a29362f": "tpm2",
    "93a894094874449090caf2fc93cab553": "host+tpm2",
    "ef4ac13679a9480ea7db68897f9f165d": "host+tpm2",
    "af4950a849134eb1a73846304ff30c05": "host+tpm2",
    "adbc4ca3efb64201ba881b6f2e4095ea": "host+tpm2",
    "058469daf6f54324800549da0f8ea2fb": "nothing",
}


class HeldKey(BaseModel):
    """A host key, `TYPE BASE64`, and how long it has been there; `next` ones are announced only."""

    model_config = ConfigDict(frozen=True)
    key: str
    age_seconds: int
    next: bool = False


class HeldAccess(BaseModel):
    """A line that lets somebody in, and how long its file has been there."""

    model_config = ConfigDict(frozen=True)
    line: str
    age_seconds: int


class HeldCredential(BaseModel):
    """A sealed credential; `seal` is what it begins with, `opens` whether this node opens it."""

    model_config = ConfigDict(frozen=True)
    name: str
    age_seconds: int
    seal: str
    opens: bool

    @property
    def sealed_with(self) -> str:
        """Name the keys that it is sealed with: host, tpm2, host+tpm2, or nothing."""
        return _SEALS.get(self.seal, "unknown")


class Holdings(BaseModel):
    """All of it; `clock` is the node's, in seconds, chains are PEM or empty."""

    model_config = ConfigDict(frozen=True)
    clock: int
    release: str
    inside: str
    host_keys: tuple[HeldKey, ...]
    access: tuple[HeldAccess, ...]
    generations: dict[str, int]
    credentials: tuple[HeldCredential, ...]
