"""Parse one unit file, by the rules that systemd and Quadlet share.

configparser cannot read these files: keys and sections repeat, a backslash at the end continues a
line, and comments may stand between the parts of a continued line.
"""

import shlex
from dataclasses import dataclass

_COMMENTS = ("#", ";")


@dataclass(frozen=True, slots=True)
class Setting:
    """One assignment, with its file and first line."""

    section: str
    key: str
    value: str
    file: str
    line: int

    @property
    def text(self) -> str:
        """KEY=VALUE, on one line."""
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that systemd ignores with a warning and Quadlet refuses."""

    file: str
    line: int
    text: str
    why: str


def read_unit(text: str, file: str) -> tuple[tuple[Setting, ...], tuple[Stray, ...]]:
    """Read a unit's settings in order, and the lines that are not settings."""
    settings: list[Setting] = []
    strays: list[Stray] = []
    section = ""
    for line, content in _logical_lines(text):
        if content.startswith("["):
            if content.endswith("]"):
                section = content[1:-1]
            else:
                strays.append(Stray(file, line, content, "a section's name ends with ]"))
            continue
        key, equals, value = content.partition("=")
        if not equals:
            strays.append(Stray(file, line, content, "neither [Section] nor KEY=value"))
        elif not section:
            strays.append(Stray(file, line, content, "before the first section"))
        else:
            settings.append(Setting(section, key.strip(), value.strip(), file, line))
    return tuple(settings), tuple(strays)


def words(value: str) -> tuple[str, ...]:
    """Split at spaces outside quotes; an unbalanced quote is taken literally."""
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return tuple(value.split())


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Join continued lines; each with the number of its first line."""
    found: list[tuple[int, str]] = []
    begun, parts = 0, list[str]()
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = raw.strip()
        if line.startswith(_COMMENTS) or (not line and not parts):
            continue
        begun = begun if parts else number
        # Only as the last character of the raw line does a backslash continue it.
        if raw.endswith("\\"):
            parts.append(line[:-1].rstrip())
            continue
        parts.append(line)
        found.append((begun, " ".join(parts).strip()))
        parts = []
    if parts:
        found.append((begun, " ".join(parts).strip()))
    return found
