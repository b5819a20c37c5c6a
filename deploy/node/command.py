"""A command for a node: a script, its arguments and its stdin."""

from dataclasses import dataclass, field

_MEGABYTE = 1_000_000
# The most that a node may print to a stream: three times what one with 100,000 files prints.
_USUAL_BYTES = 16 * _MEGABYTE
_MOST_BYTES = {
    "audit-lines": 64 * _MEGABYTE,
    "holdings": 64 * _MEGABYTE,
    "inspect": 64 * _MEGABYTE,
    "logs": 64 * _MEGABYTE,
    "probe": 64 * _MEGABYTE,
    "receipts": 64 * _MEGABYTE,
    "releases": 64 * _MEGABYTE,
    "verify-image": 256 * _MEGABYTE,
}


@dataclass(frozen=True, slots=True)
class Command:
    """One of the `scripts/*.sh`, run as root; secrets and content belong on stdin only."""

    script: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = field(default=b"", repr=False)

    @property
    def most_bytes(self) -> int:
        """The most bytes that are read of its output, and of its errors."""
        return _MOST_BYTES.get(self.script, _USUAL_BYTES)

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))
