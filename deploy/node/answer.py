"""Parse what a node sends: bounded, validated, never trusted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)

from deploy.errors import DeployError

Answer = TypeVar("Answer")
# Three times what a node with 100,000 project files sends. Each wrong value takes a kilobyte.
_MOST_VALUES = 2_000_000
_LONGEST_TEXT = 160
_CENTURIES = 10**10
_NEWER = "a newer corefab may have written it: update corefab, or look with --debug"
# A file name, not dated in the year 3000 or later: a release's name becomes a path and a time.
_RELEASE = re.compile(r"(?![3-9][0-9]{7}-)[0-9A-Za-z][0-9A-Za-z.-]{0,63}")


def _release(name: str) -> str:
    if not _RELEASE.fullmatch(name):
        raise ValueError("that is no name of a release")
    return name


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n")


def _within_centuries(value: Any) -> Any:
    """Any user of a node can give a file any time: it is centuries away then, not refused."""
    if isinstance(value, int | float):
        return max(-_CENTURIES, min(value, _CENTURIES))
    return value


def _same_app(app: str, info: ValidationInfo) -> str:
    wanted = (info.context or {}).get("app", app)
    if app != wanted:
        raise ValueError(f"it is of {app}, not of {wanted}")
    return app


# Numbers and times with which no calculation overflows.
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[int, BeforeValidator(_within_centuries)]
Real = Annotated[float, Field(ge=0, lt=10**10)]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_within_centuries),
    Field(gt=datetime(1600, 1, 1, tzinfo=UTC), lt=datetime(2300, 1, 1, tzinfo=UTC)),
]
Mode = Annotated[str, Field(pattern=r"^[0-7]{0,6}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
ReleaseName = Annotated[str, AfterValidator(_release)]
# A name that any user of the node can choose: it must not add lines to our output.
OneLine = Annotated[str, AfterValidator(_on_one_line)]
# The app that was asked about, and no other.
AskedApp = Annotated[str, AfterValidator(_same_app)]


class Value(BaseModel):
    """An immutable part of an answer."""

    model_config = ConfigDict(frozen=True)


def read_answer(
    model: type[Answer], text: str, what: str, hint: str = _NEWER, *, app: str = ""
) -> Answer:
    """Parse an answer as `model`; `what` names it in messages, its manifests must be of `app`.

    Raises:
        DeployError: when it is too large or invalid; the message names the first wrong field.
    """
    with reading(what, hint):
        if text.count(",") > _MOST_VALUES:
            raise ValueError(f"it has more than {_MOST_VALUES} values")
        return TypeAdapter(model).validate_json(text, context={"app": app} if app else None)


@contextmanager
def reading(what: str, hint: str = _NEWER) -> Iterator[None]:
    """Turn any failure of the block, which parses an answer, into one message.

    Raises:
        DeployError: `WHAT cannot be read`, and why.
    """
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        raise DeployError(f"{what} cannot be read{_why(error)}", hint) from error


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f": {_brief(str(error) or type(error).__name__)}"
    # Listing millions of errors takes gigabytes.
    if error.error_count() > _LONGEST_TEXT:
        return f": {error.error_count()} values are invalid"
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the top level"
    return f" at {_brief(place)}: {_brief(first['msg'].removeprefix('Value error, '))}"


def _brief(text: str) -> str:
    """Shorten a text from the node."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
