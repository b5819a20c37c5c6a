"""Read the JSON that a node answers with: bounded, checked, and refused with the place."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from deploy.errors import DeployError

Answer = TypeVar("Answer")
# The state of a node with 100,000 project files takes a third of this.
_LARGEST = 64 * 1024 * 1024
_LONGEST_WORDS = 160
NEWER = "the node may hold files of a newer corefab: update the tool, or look with --debug"


def read_answer(model: type[Answer], text: str, what: str, hint: str = NEWER) -> Answer:
    """Read an answer as a model; `what` names it in the message when it cannot be read.

    Raises:
        DeployError: when it is too long, or not what the model says.
    """
    if len(text) > _LARGEST:
        raise DeployError(f"{what} cannot be read: {len(text)} characters are too many", hint)
    try:
        return TypeAdapter(model).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DeployError(
            f"{what} cannot be read at {_brief(place)}: {_brief(first['msg'])}", hint
        ) from error


def _brief(text: str) -> str:
    """Cut a text that may come from the node, and replace what is not printable in it."""
    shown = "".join(one if one.isprintable() else "?" for one in text[: _LONGEST_WORDS + 1])
    return shown if len(shown) <= _LONGEST_WORDS else f"{shown[:_LONGEST_WORDS]}…"
