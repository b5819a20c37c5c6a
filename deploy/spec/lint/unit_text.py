"""Parse one unit file, by the rules that systemd and Quadlet share.

configparser cannot read these files: keys and sections repeat, a backslash at the end continues a
line, and comments may stand between the parts of a continued line.
"""

import re
import shlex
from dataclasses import dataclass

from deploy.spec.lint.finding import Finding

_COMMENTS = ("#", ";")
_PART = re.compile(r"(\d++(?:\.\d++)?+)\s*+([A-Za-zµμ]*+)")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*+)++")
_UNITS = {
    "us": 1e-6, "usec": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "msec": 1e-3,
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800, "weeks": 604800,
    "M": 2629800, "month": 2629800, "months": 2629800,
    "y": 31557600, "year": 31557600, "years": 31557600,
}  # fmt: skip


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


def read_unit(text: str, file: str) -> tuple[tuple[Setting, ...], tuple[Finding, ...]]:
    """Read a unit's settings in order, and find the lines that are not settings."""
    settings: list[Setting] = []
    strays: list[Finding] = []
    section = ""
    for line, content in _logical_lines(text):
        key, equals, value = content.partition("=")
        problem = ""
        if content.startswith("[") and content.endswith("]"):
            section = content[1:-1]
        elif content.startswith("["):
            problem = "a section's name ends with ]"
        elif not equals:
            problem = "neither [Section] nor KEY=value"
        elif not section:
            problem = "before the first section"
        else:
            settings.append(Setting(section, key.strip(), value.strip(), file, line))
        if problem:
            why = f"{problem}: systemd ignores such a line, Quadlet the whole file"
            strays.append(
                Finding("error", "stray-line", file, line, content[:80], why, "correct the line")
            )
    return tuple(settings), tuple(strays)


def words(value: str) -> tuple[str, ...]:
    """Split at spaces outside quotes; an unbalanced quote is taken literally."""
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return tuple(value.split())


def seconds(text: str) -> float | None:
    """Read a time of systemd's (1min 30s) or podman's (1m30s), or `infinity`; None for others."""
    if text == "infinity":
        return float("inf")
    if not _WHOLE.fullmatch(text):
        return None
    parts = [(float(number), _UNITS.get(unit)) for number, unit in _PART.findall(text)]
    if any(unit is None for _, unit in parts):
        return None
    return sum(number * unit for number, unit in parts if unit is not None)


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
