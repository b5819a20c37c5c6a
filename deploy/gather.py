"""Gather the commands of every noun into the one collection that `fab` loads."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from deploy.console.debug import escape_log, escape_tracebacks
from deploy.errors import DeployError
from deploy.options import NO_PORT, NO_USER, hosts, leave_ssh_files_to_ssh
from deploy.task import Group, task

_NODES = re.compile(r"(?:-H|--hosts)=?(?P<nodes>.*)")
_HELP = ("--help", "-h")
_RENAMED = {
    "cert-rotate-host": "host-key-rotate",
    "image": "os-image",
    "node-down": "rehearsal-down",
    "node-reboot": "rehearsal-reboot",
    "node-status": "rehearsal-status",
    "node-up": "rehearsal-up",
    "rehearse": "rehearsal-fault",
}


def gather(modules: Iterable[ModuleType], folder: Path) -> Collection:
    """Collect the tasks of modules, for the operator's folder; `fab` alone runs `help`.

    Raises:
        Exit: when a command was typed by its old name, or -H names no node.
    """
    escape_log()
    escape_tracebacks()
    _check_typed(sys.argv[1:])
    found = Collection()
    for module in modules:
        for one in vars(module).values():
            if isinstance(one, Task):
                found.add_task(one)

    _show_help(sys.argv[1:], found)
    _name_bare_word(sys.argv[1:], found)

    @task("look", name="help", default=True)
    def show(_: Context) -> None:
        """List every command by what it is for."""
        from deploy.console import output  # noqa: PLC0415 -- only this command needs it

        output.say(contents(found))

    found.add_task(show)  # type: ignore[arg-type]
    # Fabric hands these to every task: a host without a user or a port shows as such.
    found.configure({"user": NO_USER, "port": NO_PORT, "folder": folder})
    leave_ssh_files_to_ssh()
    return found


def contents(commands: Collection) -> str:
    """Write the table of contents: each group, and its commands with what they do."""
    lines = ["fab COMMAND [OPTIONS]; fab --help COMMAND lists its options"]
    width = max(map(len, commands.tasks))
    for group in get_args(Group):
        lines += ["", group]
        for name, one in commands.tasks.items():
            if one.group == group:
                lines.append(f"  {name:{width}}  {summary(one)}")
    return "\n".join(lines)


def summary(command: Task[Any]) -> str:
    """Read the first line of a command's docstring."""
    return str(command.__doc__).strip().splitlines()[0]


def _show_help(words: Sequence[str], commands: Collection) -> None:
    """Start `fab --help COMMAND` for `fab COMMAND --help` and `fab COMMAND -h`.

    Fabric takes `-h` for the command's first argument where that is still missing.
    """
    asked = next((number for number, word in enumerate(words) if word in _HELP), 0)
    before = words[:asked]
    if command := next((word for word in before if word in commands.tasks), ""):
        _start("--help", command)


def _name_bare_word(words: Sequence[str], commands: Collection) -> None:
    """Start `fab COMMAND --OPTION=WORD` for `fab COMMAND WORD`, where the command allows that."""
    for place, (command, word) in enumerate(pairwise(words)):
        option = commands.tasks[command].bare if command in commands.tasks else ""
        if option and not word.startswith("-"):
            _start(*words[: place + 1], f"--{option}={word}", *words[place + 2 :])


def _start(*words: str) -> None:
    os.execv(sys.executable, (sys.executable, sys.argv[0], *words))  # noqa: S606


def _check_typed(words: Sequence[str]) -> None:
    """Refuse what Fabric would answer badly: a command's old name, a wrong node after -H."""
    rest = iter(words)
    command = ""
    for word in rest:
        if option := _NODES.fullmatch(word):
            _check_nodes(option["nodes"] or next(rest, ""))
        elif not command and word in _RENAMED:
            raise Exit(f"renamed: fab {_RENAMED[word]}", code=1)
        elif not word.startswith("-"):
            command = word


def _check_nodes(text: str) -> None:
    try:
        hosts(text)
    except DeployError as error:
        raise Exit(f"error: -H: {error.message}\nwhat to do: {error.hint}", code=1) from error
