"""Parse `.env` files and the environment into entries, with their places and problems."""

import difflib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from deploy.settings.encoding import not_utf8
from deploy.settings.model import KEYS
from deploy.settings.secrets import refuse_readable, take_secrets

# SECRET_ keys are upper case only: credentials have lower-case names, two cases would collide.
GROUP = re.compile(r"ENV_(?P<variable>[A-Za-z][A-Za-z0-9_]*)|SECRET_(?P<secret>[A-Z][A-Z0-9_]*)")
_GROUP_RULES = {
    "ENV_": "a letter, then letters, digits and _",
    "SECRET_": "a capital letter, then capital letters, digits and _",
}
# Some shells export NAME (WSL does); the instance is chosen by `--name` or in `.env`.
_NOT_FROM_ENVIRONMENT = {"NAME"}
_REMOVED = {"IMAGE_MODE": "every image is sent as it was built"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting as found: key, value, and the file and line or other source."""

    key: str
    value: str = field(repr=False)
    where: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of the settings; `missing` when a required value is not set."""

    key: str
    text: str
    missing: bool = False


def file_entries(file: Path, problems: list[Problem]) -> dict[str, Entry]:
    """Parse a file; add its problems to the list.

    Raises:
        DeployError: when it holds secrets and others can read it.
    """
    found: dict[str, Entry] = {}
    for binding in _bindings(file, problems):
        text = binding.original.string
        # The parser counts the blank lines before a binding as part of it.
        lead = text[: len(text) - len(text.lstrip())].count("\n")
        where = f"{file.name}:{binding.original.line + lead}"
        if problem := _form_problem(binding, where, found):
            problems.append(Problem(binding.key or "", problem))
        if binding.key:
            found[binding.key] = Entry(binding.key, binding.value or "", where)
    refuse_readable(file, [key for key, entry in found.items() if entry.value])
    return found


def environment_entries(known: Mapping[str, Entry]) -> dict[str, Entry]:
    """Read every setting from the environment; of ENV_ and SECRET_ keys the known ones only."""
    keys = set(KEYS) - _NOT_FROM_ENVIRONMENT | {key for key in known if GROUP.fullmatch(key)}
    there = {**os.environ, **take_secrets()}
    return {key: Entry(key, there[key], "environment") for key in sorted(keys & there.keys())}


def _bindings(file: Path, problems: list[Problem]) -> list[Binding]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem("", f"{file.name} cannot be read: {error.strerror}"))
        return []
    what, hint = not_utf8(file.name, data)
    if what:
        problems.append(Problem("", f"{file.name}: {what}; {hint}"))
        return []
    # Editors on Windows may write a byte order mark.
    return list(parse_stream(io.StringIO(data.decode("utf-8-sig"), newline=None)))


def _form_problem(binding: Binding, where: str, found: Mapping[str, Entry]) -> str:
    if binding.error or (binding.key and binding.value is None):
        return f"{where}: not of the form KEY=value"
    if not binding.key:
        return ""
    if binding.key in found:
        return f"{where}: {binding.key} is set again, first in {found[binding.key].where}"
    if "\0" in (binding.value or ""):
        return f"{where}: {binding.key} holds a NUL character"
    return _unknown(binding.key, where)


def _unknown(key: str, where: str) -> str:
    if key in KEYS or GROUP.fullmatch(key):
        return ""
    if reason := _REMOVED.get(key):
        return f"{where}: {key} was removed ({reason}); delete the line"
    if GROUP.fullmatch(key.upper()):
        return f"{where}: unknown setting {key}; did you mean {key.upper()}?"
    for start, rule in _GROUP_RULES.items():
        if key.upper().startswith(start):
            return f"{where}: unknown setting {key}; after {start} stand {rule}"
    near = difflib.get_close_matches(key.upper(), KEYS, n=1)
    return f"{where}: unknown setting {key}" + (f"; did you mean {near[0]}?" if near else "")
