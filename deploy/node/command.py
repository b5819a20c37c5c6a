"""A command for a node: one of our scripts, its arguments, and what it reads."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Command:
    """Run a noun's `scripts/<script>.sh` as root; secrets and content go on stdin only."""

    script: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))


def audit(line: str) -> Command:
    """Append a line of JSON to the node's journal of changes."""
    return Command("audit", (line,))
