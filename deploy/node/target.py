"""Where a node is and how to log in to it."""

from dataclasses import dataclass
from pathlib import Path

from deploy.node.ssh_config import SSH_PORT, SshOptions, ssh_options


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

    @property
    def options(self) -> SshOptions:
        """How ssh would reach it."""
        return ssh_options(self.host, self.port, self.user)


def resolve(target: Target) -> tuple[str, int]:
    """Look the host up in the SSH config; return its address and port."""
    return target.options.host, target.options.port


def known_as(target: Target) -> tuple[str, int]:
    """Return the name and port under which its host key is pinned."""
    return target.options.known_as[0]
