"""Several nodes: the instances a command is for, and their nodes, each node once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.node import session
from deploy.node.login import connect
from deploy.node.remote import Remote
from deploy.node.target import Target
from deploy.project import Project
from deploy.settings.load import with_node
from deploy.settings.model import Settings

# A node as `-H` and `--nodes` name it: address, port, user.
Host = tuple[str, int | None, str | None]


@dataclass(frozen=True, slots=True)
class Node:
    """A node, how to log in, and the instances on it."""

    projects: tuple[Project, ...]
    target: Target

    @property
    def name(self) -> str:
        """The node's address."""
        return self.target.host

    @property
    def folder(self) -> Path:
        """The operator's folder."""
        return self.projects[0].folder

    @contextmanager
    def connected(self, *, identity: Path | None = None) -> Iterator[Remote]:
        """Log in until the block ends; with `identity`, by that key and no other.

        Raises:
            DeployError: when the login fails.
        """
        target = replace(self.target, identity=identity, alone=True) if identity else self.target
        with connect(target, session.passphrase_prompt()) as remote:
            yield remote


def at_hosts(project: Project, hosts: Iterable[Host]) -> tuple[Project, ...]:
    """Point an instance at each of several nodes; drop duplicates."""
    found = (Project(project.folder, with_node(project.settings, *host)) for host in hosts)
    return tuple(one.projects[0] for one in nodes(found))


def nodes(projects: Iterable[Project]) -> tuple[Node, ...]:
    """Group instances by node, in the order of the instances.

    Raises:
        DeployError: when an instance has no node: a command for all nodes must not skip one.
    """
    found: dict[tuple[str, int | None, str], Node] = {}
    for project in projects:
        target = session.target(project)
        key = (target.host, target.port, target.user)
        known = found.get(key, Node((), target))
        found[key] = replace(known, projects=(*known.projects, project))
    return tuple(found.values())


def instances(listed: Iterable[Node]) -> tuple[Settings, ...]:
    """List the settings of the instances on these nodes."""
    return tuple(project.settings for one in listed for project in one.projects)
