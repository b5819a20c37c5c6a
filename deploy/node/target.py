"""Where a node is and how to log in to it."""

from dataclasses import dataclass
from pathlib import Path

from fabric.connection import Connection

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Target:
    """A node and a login; `port` None means the SSH config's port, or 22.

    `alone`: log in by `identity` only, by no key of the agent or of ~/.ssh. It proves that key.
    """

    host: str
    port: int | None
    user: str
    identity: Path | None
    known_hosts: Path
    alone: bool = False

    def __str__(self) -> str:
        return self.host if self.port in {None, SSH_PORT} else f"{self.host}:{self.port}"


def resolve(target: Target) -> tuple[str, int]:
    """Look the host up in the SSH config; return its address and port."""
    connection = Connection(target.host, user=target.user, port=target.port)
    return str(connection.host), int(connection.port)
