"""Parse what several commands take from the command line: folder, instance, nodes, files."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fabric.connection import Connection, derive_shorthand
from fabric.main import program
from invoke.context import Context

from deploy.errors import DeployError

if TYPE_CHECKING:
    from deploy.project import Project

# Fabric fills in the local user where -H names none; NODE_USER is meant then.
NO_USER = "-"
# And a port; the one of the SSH config is meant, which ssh reads.
NO_PORT = 0
# The settings of a command that only logs in to a node and names its app.
LOGIN = (
    "PROJECT", "NODE_ADDRESS", "NODE_PORT", "NODE_USER", "IDENTITY_FILE", "KNOWN_HOSTS", "SSH",
)  # fmt: skip
# The settings of a command that starts a machine here from the app's Ignition file.
MACHINE = ("PROJECT", "NODE_USER", "IDENTITY_FILE", "KNOWN_HOSTS")


def leave_ssh_files_to_ssh() -> None:
    """Keep Fabric from reading the SSH config: it knows less of it, and ends in a traceback."""
    if config := getattr(program, "config", None):
        config.load_ssh_configs = False


def folder_of(context: Context) -> Path:
    """Find the operator's folder: the one whose fabfile was loaded."""
    return Path(context.config["folder"])


def project_of(
    context: Context,
    name: str,
    needed: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
) -> "Project":
    """Load an instance's settings, or only the `needed` ones; `-H` names another node.

    `options` replace some of the needed ones.

    Raises:
        SettingsError: with every problem of the settings.
    """
    from deploy.project import Project
    from deploy.settings.load import read_needed, read_settings, with_node

    folder, instance = folder_of(context), name or None
    settings = (
        read_needed(folder, instance, needed, options)
        if needed
        else read_settings(folder, instance)
    )
    host = target(context)
    return Project(folder, with_node(settings, *host) if host else settings)


def project_to_look_at(context: Context, name: str) -> "Project":
    """Load what a command needs that only looks at a node.

    A node with SSH=off is looked at through its status page, which takes more of the settings.

    Raises:
        SettingsError: with every problem of the settings.
    """
    project = project_of(context, name, LOGIN)
    return project if project.settings.ssh == "on" else project_of(context, name)


def projects_of(context: Context, name: str, *, every: bool) -> "tuple[Project, ...]":
    """Load the settings of one instance, or of every instance of the folder.

    Raises:
        SettingsError: for the first instance that has a problem.
    """
    from deploy.project import Project
    from deploy.settings.load import read_instances

    if not every:
        return (project_of(context, name),)
    folder = folder_of(context)
    return tuple(Project(folder, settings) for settings in read_instances(folder))


def file_of(text: str) -> Path:
    """Resolve a file name from the current folder."""
    return Path(text).expanduser().absolute()


def target(context: Context) -> tuple[str, int | None, str | None] | None:
    """Read the node that `fab -H user@host:port` names: address, port, user; None without -H."""
    if not isinstance(context, Connection):
        return None
    user = None if context.user == NO_USER else str(context.user)
    return str(context.original_host), int(context.port) or None, user


def host(text: str) -> tuple[str, int | None, str | None]:
    """Parse a node `user@host:port`: address, port and user.

    Raises:
        DeployError: when it has no host, or a port that is not from 1 to 65535.
    """
    with contextlib.suppress(ValueError):
        parts = derive_shorthand(text)
        if parts["host"] and parts["port"] in (None, *range(1, 2**16)):
            return str(parts["host"]), parts["port"], parts["user"]
    raise DeployError(f"{text!r} is not a node", "write it as user@host:port")


def hosts(text: str) -> list[tuple[str, int | None, str | None]]:
    """Parse a list of nodes, with commas between.

    Raises:
        DeployError: for a node that has no host, or a port that is not from 1 to 65535.
    """
    return [host(one) for one in map(str.strip, text.split(",")) if one]
