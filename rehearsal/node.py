"""The description of a rehearsal node."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is up: SSH logins work and systemd has settled."""

    name: str
    address: str
    address6: str
    port: int
    host_keys: tuple[str, ...]
    boot_id: str
    tree: Path
    state: Literal["running", "degraded"]
    failed_units: tuple[str, ...]
    seconds: float
    system: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One line of `fab rehearsal-status`; a node that was cut off half-way is `broken`.

    The owner is the operator's folder that it belongs to; none where that no longer exists.
    """

    name: str
    state: Literal["running", "stopped", "broken"]
    address: str
    port: int
    boot_id: str
    tree: Path
    owner: Path | None
