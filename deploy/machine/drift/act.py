"""The commands for a node: a function for each script."""

from deploy.node.command import Command


def converge(name: str, gate_seconds: int, archive: bytes) -> Command:
    """Do what brings a machine in line; put back unless `keep` comes from a new login in time."""
    return Command("converge", ("apply", name, str(gate_seconds)), archive)


def keep(name: str, line: str) -> Command:
    """Say that a convergence is proven; `line` of JSON goes to the journal of changes."""
    return Command("converge", ("keep", name, line))


def put_back(name: str) -> Command:
    """Put back what was before a convergence."""
    return Command("converge", ("put-back", name))
