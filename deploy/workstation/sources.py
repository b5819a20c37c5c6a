"""Fetch the value of a secret setting: as it is set, or what a command prints, or typed in."""

from collections.abc import Callable

from deploy.errors import DeployError
from deploy.settings.model import Source
from deploy.settings.secrets import remember
from deploy.workstation.programs import Start, run

_LONGEST_SECONDS = 120


def fetch(
    source: Source, ask: Callable[[str], str] | None, *, seconds: float = _LONGEST_SECONDS
) -> str:
    """Fetch a value from its source.

    Raises:
        DeployError: when it has no source, or its source is empty.
    """
    if source.value:
        return remember(source.value.get_secret_value())
    if source.command:
        return remember(_output(source, seconds))
    if ask is None:
        raise DeployError(
            f"{source.key} is not set, and no terminal to ask for it",
            f"set {source.key} in .env, or {source.key}_COMMAND to a command that prints it",
        )
    return remember(ask(source.key))


def _output(source: Source, seconds: float) -> str:
    where, hint = f"{source.key}_COMMAND", f"try it: {source.command}"
    printed = run(
        ["sh", "-c", source.command],
        doing=where,
        hint=hint,
        seconds=seconds,
        start=Start(operators=True, prints=True),
    )
    try:
        value = printed.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise DeployError(f"{where} printed something other than UTF-8 text", hint) from error
    if not value:
        raise DeployError(f"{where} printed nothing", hint)
    return value
