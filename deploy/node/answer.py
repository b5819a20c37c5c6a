"""Parse the JSON that a node sends: bounded, validated, never trusted."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deploy.errors import DeployError

Answer = TypeVar("Answer")
# Three times what a node with 100,000 project files sends.
_LARGEST = 64 * 1024 * 1024
_LONGEST_TEXT = 160
_NEWER = "a newer corefab may have written it: update corefab, or look with --debug"


class Value(BaseModel):
    """An immutable part of an answer."""

    model_config = ConfigDict(frozen=True)


def read_answer(model: type[Answer], text: str, what: str, hint: str = _NEWER) -> Answer:
    """Parse an answer as `model`; `what` names it in messages.

    Raises:
        DeployError: when it is too long or invalid; the message names the first wrong field.
    """
    if len(text) > _LARGEST:
        raise DeployError(f"{what} cannot be read: it has {len(text)} characters", hint)
    try:
        return TypeAdapter(model).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise DeployError(
            f"{what} cannot be read at {_brief(place)}: {_brief(first['msg'])}", hint
        ) from error


def _brief(text: str) -> str:
    """Shorten a text from the node and replace unprintable characters."""
    shown = "".join(one if one.isprintable() else "?" for one in text[: _LONGEST_TEXT + 1])
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"
