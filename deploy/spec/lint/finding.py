"""What the lint found, said so that the reader can mend it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A trap in a file: `line` counts from 1, 0 where something is missing from the whole."""

    severity: Severity
    rule: str
    file: str
    line: int
    found: str
    why: str
    remedy: str

    @property
    def place(self) -> str:
        """The file, and the line where there is one."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a supervisor watches its workers, in seconds; `problems` of the text that says so.

    What the text does not name (`said`) is a usual value, and the image may have another.
    """

    interval: float
    start: float
    shortest_watchdog: float
    problems: tuple[str, ...] = ()
    said: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lint is told besides the files.

    `podman` is the node's version, empty while no node was asked. `rhythm` reads what a unit's
    SUPERVISE_SET makes of the supervisor's policies. `homes` are users and their home folders,
    each with the place that says so.
    """

    rhythm: Callable[[str], Rhythm]
    podman: str = ""
    homes: tuple["Home", ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Home:
    """A user of the machine, the home folder, and where that is written."""

    user: str
    folder: str
    file: str
    line: int = 0
