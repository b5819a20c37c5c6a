"""What the lint knows and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a file; `line` counts from 1, 0 stands for the whole file."""

    severity: Severity
    rule: str
    file: str
    line: int
    found: str
    why: str
    remedy: str

    @property
    def place(self) -> str:
        """FILE:LINE, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The times, in seconds, by which a supervisor watches its workers; `problems` of their text.

    `said` are the keys that the text sets; for the others the image may have its own defaults.
    """

    interval: float
    start: float
    shortest_watchdog: float
    problems: tuple[str, ...] = ()
    said: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lint needs to know beside the files.

    `podman` is the node's version, empty while it is unknown. `rhythm` reads the times of a unit's
    SUPERVISE_SET. `homes` are the users' home folders.
    """

    rhythm: Callable[[str], Rhythm]
    podman: str = ""
    homes: tuple["Home", ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Home:
    """A user of the machine, the home folder, and where that is set."""

    user: str
    folder: str
    file: str
    line: int = 0
