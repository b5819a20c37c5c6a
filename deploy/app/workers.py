"""What an app's supervisor says of its workers."""

from pydantic import BaseModel, ConfigDict


class Worker(BaseModel):
    """One worker; times are in seconds, `last_sign` since it was last heard of."""

    model_config = ConfigDict(frozen=True)
    name: str
    state: str
    last_sign: float | None
    restarts: int
    reasons: tuple[str, ...]


class Workers(BaseModel):
    """All of them, and the state of the whole."""

    model_config = ConfigDict(frozen=True)
    state: str
    workers: tuple[Worker, ...]
