"""What an app's supervisor says of its workers."""

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deploy.errors import DeployError


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


def read_workers(answer: str) -> Workers | None:
    """Read a supervisor's answer; None where the app has no supervisor.

    Raises:
        DeployError: when it is not what a supervisor writes.
    """
    try:
        return TypeAdapter(Workers | None).validate_json(answer)
    except ValidationError as error:
        raise DeployError(
            f"the app's status command answers something else: {error.errors()[0]['msg']}",
            "the image's label io.corefab.status names it; docs/supervision.md says what it prints",
        ) from error
