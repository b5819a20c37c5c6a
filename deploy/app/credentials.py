"""Where an app's credentials come from: a setting, a command's output, or somebody to ask."""

import sys
from collections.abc import Callable
from pathlib import Path

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.settings.model import Settings, Source
from deploy.workstation.programs import run

_LONGEST_SECONDS = 120


class Credentials:
    """The values of an app's credentials, each fetched once and only when needed."""

    def __init__(
        self,
        settings: Settings,
        ask: Callable[[str], str] | None,
        *,
        patience_seconds: float = _LONGEST_SECONDS,
    ) -> None:
        self._sources = {source.credential: source for source in settings.sources}
        self._ask = ask
        self._patience_seconds = patience_seconds
        self._values: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._sources)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The credentials of the app."""
        return tuple(self._sources)

    def known(self) -> dict[str, str | None]:
        """Give the values that need nobody to ask; None for the others."""
        return {
            name: self.value(name) if source.value or source.command else self._values.get(name)
            for name, source in self._sources.items()
        }

    def give(self, credential: str, value: str) -> None:
        """Take a value instead of asking its source."""
        self._values[credential] = value

    def value(self, credential: str) -> str:
        """Fetch a value.

        Raises:
            DeployError: when there is no source, or the source gives nothing.
        """
        if credential not in self._values:
            self._values[credential] = self._fetch(self._sources[credential])
        return self._values[credential]

    def _fetch(self, source: Source) -> str:
        return fetch(source, self._ask, patience_seconds=self._patience_seconds)


def fetch(
    source: Source,
    ask: Callable[[str], str] | None,
    *,
    patience_seconds: float = _LONGEST_SECONDS,
) -> str:
    """Fetch a value from its source.

    Raises:
        DeployError: when there is no source, or the source gives nothing.
    """
    if source.value:
        return source.value.get_secret_value()
    if source.command:
        return _output(source, patience_seconds)
    if ask is None:
        raise DeployError(
            f"{source.key} is not set and nobody is there to ask",
            f"set {source.key} in .env, or {source.key}_COMMAND to a command that prints it",
        )
    return ask(source.key)


def _output(source: Source, patience_seconds: float) -> str:
    where, hint = f"{source.key}_COMMAND", f"try it: {source.command}"
    said = run(["sh", "-c", source.command], doing=where, hint=hint, seconds=patience_seconds)
    try:
        value = said.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise DeployError(f"{where} printed something other than UTF-8 text", hint) from error
    if not value:
        raise DeployError(f"{where} printed nothing", hint)
    return value


def given_value(credential: str, file: str) -> str:
    """Read a value that is given now: from a file, from standard input (`-`), or typed in.

    Raises:
        DeployError: when it is empty or no text, or nobody is there to type.
    """
    if not file:
        if not prompt.has_terminal():
            raise DeployError(
                f"nobody is there to type {credential}", "give it with --file FILE, or --file -"
            )
        return prompt.ask(credential, hidden=True)
    try:
        value = sys.stdin.read() if file == "-" else Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{file} cannot be read as text: {error}", "name another file") from error
    value = value.removesuffix("\n")
    if not value:
        raise DeployError(f"{file} is empty", "name the file that holds the value")
    return value
