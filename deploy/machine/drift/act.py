"""The commands of `scripts/converge.sh`."""

from deploy.node.command import Command


def converge(name: str, gate_seconds: int, archive: bytes) -> Command:
    """Apply a convergence; the node undoes it unless `keep` comes from a new login in time."""
    return Command("converge", ("apply", name, str(gate_seconds)), archive)


def keep(name: str, line: str) -> Command:
    """Make a convergence permanent and write `line` (JSON) to the journal of changes."""
    return Command("converge", ("keep", name, line))


def put_back(name: str) -> Command:
    """Undo a convergence."""
    return Command("converge", ("put-back", name))
