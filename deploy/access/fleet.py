"""Every instance of this folder, and every node that they name, each once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy import node
from deploy.prepare import prepare
from deploy.project import Project
from deploy.remote.connection import Target, connect
from deploy.remote.remote import Remote
from deploy.settings.model import Settings

Ask = Callable[[str], str] | None


@dataclass(frozen=True, slots=True)
class Reach:
    """A node, and how to log in to it."""

    name: str
    target: Target
    ask: Ask = None

    @contextmanager
    def connected(self, *, identity: Path | None = None) -> Iterator[Remote]:
        """Log in; with `identity`, by that key and no other.

        Raises:
            DeployError: naming the node.
        """
        target = replace(self.target, identity=identity, alone=True) if identity else self.target
        with connect(target, self.ask) as remote:
            yield remote


@dataclass(frozen=True, slots=True)
class Fleet:
    """The instances of a folder and their nodes."""

    folder: Path
    instances: tuple[Settings, ...]
    nodes: tuple[Reach, ...]
    ask: Ask = None

    def renew_specs(self) -> None:
        """Make the machine specs anew that were made before: they let in other keys now."""
        for settings in self.instances:
            if (self.folder / "build" / f"{settings.app}.ign").exists():
                prepare(Project(self.folder, settings))


def fleet(folder: Path, instances: tuple[Settings, ...], ask: Ask) -> Fleet:
    """Resolve the nodes of all instances; two instances on one node make one.

    Raises:
        DeployError: for a node that cannot be told: what is done everywhere must not leave one out.
    """
    found: dict[tuple[str, int | None, str], Reach] = {}
    for settings in instances:
        target = node.target(Project(folder, settings))
        key = (target.host, target.port, target.user)
        found.setdefault(key, Reach(target.host, target, ask))
    return Fleet(folder, instances, tuple(found.values()), ask)
