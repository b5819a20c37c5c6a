"""A command for a node: a script, its arguments and its stdin."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Command:
    """One of the `scripts/*.sh`, run as root; secrets and content belong on stdin only."""

    script: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))
