"""Verb: publish a command that a node carries out once."""

import time
from dataclasses import replace
from pathlib import Path

from deploy.bundle.plan.content import Contents
from deploy.bundle.plan.node_command import MOST_COMMANDS, Asked, NodeCommand
from deploy.bundle.publish import required_node
from deploy.bundle.send import send_changed
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.spec.key_file import read_key_file
from deploy.spec.plan.pull import node_bundle
from deploy.workstation.git import author

# A month: a bundle has it until then.
_MOST_VALID_MINUTES = 31 * 24 * 60


def node_command(project: Project, asked: Asked, *, valid_minutes: int) -> None:
    """Publish a command beside what the node's bundle has already.

    Raises:
        DeployError: for what is no command, or when the registry refuses it.
    """
    node, words = required_node(project), asked.words()
    if not 1 <= valid_minutes <= _MOST_VALID_MINUTES:
        raise DeployError(
            f"--valid {valid_minutes}: a command is valid for 1 to {_MOST_VALID_MINUTES} minutes",
            "give it longer than PULL_EVERY, such as --valid 120",
        )
    publisher = Publisher.of(project, node_bundle(project.settings))
    expires = int(time.time()) + valid_minutes * 60
    who = author(project.folder).who

    def added(before: Contents, serial: int) -> Contents:
        return _with(before, NodeCommand(serial, expires, words, who))

    serial = send_changed(publisher, node, added)
    output.good(
        f"{publisher.reference}: {words[0]} (serial {serial}); the node carries it out at its next "
        f"look, within {valid_minutes} min"
    )


def read_public_key(project: Project, name: str) -> str:
    """Read the one public key of a file; nothing where none is named.

    Raises:
        DeployError: for a file with another number of keys, or options before the key.
    """
    if not name:
        return ""
    keys = read_key_file(project.folder / Path(name).expanduser())
    if len(keys) != 1 or keys[0].options:
        raise DeployError(
            f"--key {name} has {len(keys)} keys, or options before one",
            "name a file with one public key, such as ~/.ssh/id_ed25519.pub",
        )
    return keys[0].blob


def _with(before: Contents, made: NodeCommand) -> Contents:
    commands = (*before.commands, made)
    if len(commands) > MOST_COMMANDS:
        raise DeployError(
            f"{len(commands) - 1} commands wait for the node, and it reads {MOST_COMMANDS}",
            "does it look at its registry? else wait until some have expired",
        )
    return replace(before, commands=commands)
