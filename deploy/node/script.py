"""Assemble scripts for a node with the library functions they call, and their command lines."""

import base64
import gzip
import re
import shlex
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from deploy.node.command import Command

_DEPLOY = Path(__file__).parents[1]
# A line that stands before what a command prints: the login shell may have printed something. It
# comes once the script has arrived: without it the shell did not run the command as it was sent.
MARK = "--corefab--"
# Files of functions for all scripts.
LIBRARIES = ("preamble", "owners", "facts", "lib", "updater")
# A function on one line, or from its first line to its closing brace.
_FUNCTION = re.compile(r"^(\w+)\(\) \{(?:.*\}$|\n(?:.*\n)*?^\}$)", re.MULTILINE)
_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)
# How a script that a node keeps reads the library beside it: always the first line.
_SOURCE = '. "${0%/*}/lib.sh"\n'


@cache
def script_text(name: str) -> str:
    """Return a script behind the library functions it needs.

    A function is needed when its name appears in the script or in another needed function.
    """
    own = _read(name)
    return f"{_library(own)}{own}"


def carried(names: Iterable[str], sharing: Iterable[str]) -> dict[str, bytes]:
    """Return the files of scripts that a node keeps in one folder: each reads `lib.sh` there.

    That has what all in `sharing` need, so that it is the same in each folder.
    """
    library = _library("\n".join(map(_read, sharing)))
    files = {"lib": library, **{name: f"{_SOURCE}{_read(name)}" for name in names}}
    return {f"{name}.sh": text.encode() for name, text in files.items()}


def _library(own: str) -> str:
    library = "\n".join(map(_read, LIBRARIES))
    functions = {found[1]: found[0] for found in _FUNCTION.finditer(library)}
    needed: dict[str, str] = {}
    texts = [own]
    while texts:
        words = set(re.findall(r"\w+", texts.pop()))
        new = {one: text for one, text in functions.items() if one in words - needed.keys()}
        needed |= new
        texts += new.values()
    head = _FUNCTION.sub("", library)
    called = [text for one, text in functions.items() if one in needed]
    return re.sub(r"\n{2,}", "\n", "\n".join((head, *called, "")))


@cache
def packed(name: str) -> bytes:
    """Compress a script: on a slow link its text takes most of a small change's time."""
    return gzip.compress(script_text(name).encode(), mtime=0)


def line(name: str) -> str:
    """Encode a script as one line of text, as an argument of another script that runs it."""
    return base64.b64encode(packed(name)).decode()


@cache
def scripts() -> dict[str, Path]:
    """Find every `scripts/*.sh` of `deploy`, by name."""
    return {file.stem: file for file in _DEPLOY.glob("**/scripts/*.sh")}


def command_line(command: Command) -> str:
    """Build the command line for the remote shell; it contains no secret.

    The script comes first on stdin, compressed: in the command line, sudo would log its text. It
    finds its own text in `$script`.
    """
    size = len(packed(command.script))
    unpack = f"set -o pipefail; script=$(head -c {size} | gzip -dc) || exit; echo {MARK}; "
    words = ("bash", "-c", f'{unpack}eval "$script"', command.script, *command.arguments)
    return shlex.join(("sudo", "-n", *words))


def _read(name: str) -> str:
    return _COMMENT.sub("", scripts()[name].read_text(encoding="utf-8"))
