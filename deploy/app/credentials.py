"""The values of an app's credentials: from a setting, a command's output, or typed in."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.settings.model import Settings
from deploy.settings.secrets import remember
from deploy.workstation.sources import fetch

# Of all credentials of a unit: systemd's CREDENTIALS_TOTAL_SIZE_MAX.
_MOST_BYTES = 1024 * 1024


class Credentials:
    """The values of an app's credentials, each fetched once, when it is needed.

    Passwords that never leave the workstation are fetched here too, but have no part in `names` and
    `known`, by which credentials reach a node.
    """

    def __init__(self, settings: Settings, ask: Callable[[str], str] | None) -> None:
        self._names = tuple(source.credential for source in settings.sources)
        self._sources = {source.credential: source for source in settings.all_sources}
        self._ask = ask
        self._values: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self._names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the app's credentials."""
        return self._names

    def known(self) -> dict[str, str | None]:
        """Return each credential's value if it need not be typed in; None for the others.

        Raises:
            DeployError: when they are larger than systemd allows.
        """
        values = {name: self.known_value(name) for name in self._names}
        _refuse_large(values)
        return values

    def known_value(self, credential: str) -> str | None:
        """Return a value that need not be typed in, or was already; None for any other."""
        source = self._sources[credential]
        if source.value or source.command:
            return self.value(credential)
        return self._values.get(credential)

    def give(self, credential: str, value: str) -> None:
        """Set a value, instead of fetching it from its source."""
        self._values[credential] = remember(value)

    def value(self, credential: str) -> str:
        """Fetch a value.

        Raises:
            DeployError: when it has no source, or its source is empty.
        """
        if credential not in self._values:
            self._values[credential] = fetch(self._sources[credential], self._ask)
        return self._values[credential]


def _refuse_large(values: Mapping[str, str | None]) -> None:
    # systemd counts the names too.
    sizes = {name: len(name) + len(value.encode()) for name, value in values.items() if value}
    if sum(sizes.values()) > _MOST_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise DeployError(
            f"the credentials take {sum(sizes.values())} bytes, and systemd gives an app "
            f"{_MOST_BYTES} at most; the largest is {largest} with {sizes[largest]}",
            "put what need not be secret into PROJECT_FILES",
        )


def given_value(credential: str, file: str) -> str:
    """Read a new value: from a file, from stdin (`-`), or typed in.

    Raises:
        DeployError: when it is empty or not text, or there is neither file nor terminal.
    """
    if not file:
        if not prompt.has_terminal():
            raise DeployError(
                f"there is no terminal to ask for {credential}",
                "pass it with --file FILE, or --file -",
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
