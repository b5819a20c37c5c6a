"""`.env`, `.env.NAME`, then the environment, into Settings; the only reader of both."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic import ValidationError

from deploy.errors import DeployError
from deploy.settings.model import KEYS, SECRET_KEYS, Settings, allowed

_GROUP = re.compile(r"(?P<group>ENV|SECRET)_(?P<name>[A-Za-z][A-Za-z0-9_]*)")
# Some shells set NAME themselves (WSL does); the instance is chosen by `--name` or in `.env`.
_NOT_FROM_ENVIRONMENT = {"NAME"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as it was found."""

    key: str
    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the settings, in a line."""

    key: str
    text: str
    missing: bool = False


class SettingsError(DeployError):
    """Every problem of the settings at once."""

    def __init__(self, problems: tuple[Problem, ...], files: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem.text}" for problem in problems)
        super().__init__(
            f"{count} in the settings:\n{lines}",
            f"mend {files}; .env.example explains every setting",
        )
        self.problems = problems

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys to ask for, when nothing else is wrong; else nothing."""
        every = all(problem.missing for problem in self.problems)
        return tuple(problem.key for problem in self.problems) if every else ()


def read_settings(
    folder: Path, name: str | None = None, answers: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings of an instance; `answers` fill what the files leave out.

    Raises:
        SettingsError: with every problem, its file and line, what was found, what is allowed.
    """
    files = [folder / ".env"]
    if name:
        files.append(folder / f".env.{name}")
    problems: list[Problem] = []
    entries = dict(_asked(answers or {}))
    for file in files:
        entries |= _file_entries(file, problems)
    if name and not files[1].exists():
        problems.append(_no_instance(folder, name))
    entries |= _environment(entries)
    if name:
        entries["NAME"] = Entry("NAME", name, "--name")
    return _settings(entries, problems, " and ".join(file.name for file in files))


def _no_instance(folder: Path, name: str) -> Problem:
    known = sorted(
        file.name.removeprefix(".env.")
        for file in folder.glob(".env.*")
        if file.name != ".env.example"
    )
    return Problem(
        "NAME", f".env.{name} does not exist; instances here: {', '.join(known) or 'none'}"
    )


def _asked(answers: Mapping[str, str]) -> Iterator[tuple[str, Entry]]:
    for key, value in answers.items():
        yield key, Entry(key, value, "your answer")


def _file_entries(file: Path, problems: list[Problem]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    try:
        stream = file.open(encoding="utf-8")
    except FileNotFoundError:
        return found
    with stream:
        try:
            bindings = list(parse_stream(stream))
        except UnicodeDecodeError as error:
            problems.append(Problem("", f"{file.name}: not UTF-8 text (byte {error.start})"))
            return found
    for binding in bindings:
        # The parser counts the blank lines before a binding as part of it.
        lead = len(binding.original.string) - len(binding.original.string.lstrip("\n"))
        where = f"{file.name}:{binding.original.line + lead}"
        if binding.error or (binding.key and binding.value is None):
            problems.append(Problem("", f"{where}: not of the form KEY=value"))
        elif binding.key:
            problem = _unknown(binding.key, where)
            if binding.key in found:
                problem = (
                    f"{where}: {binding.key} is set again, first in {found[binding.key].where}"
                )
            if problem:
                problems.append(Problem(binding.key, problem))
            found[binding.key] = Entry(binding.key, binding.value or "", where)
    return found


def _unknown(key: str, where: str) -> str:
    if key in KEYS or _GROUP.fullmatch(key):
        return ""
    near = difflib.get_close_matches(key.upper(), KEYS, n=1)
    return f"{where}: unknown setting {key}" + (f"; did you mean {near[0]}?" if near else "")


def _environment(known: Mapping[str, Entry]) -> dict[str, Entry]:
    keys = set(KEYS) - _NOT_FROM_ENVIRONMENT | {key for key in known if _GROUP.fullmatch(key)}
    return {
        key: Entry(key, os.environ[key], "environment") for key in sorted(keys) if key in os.environ
    }


def _settings(entries: Mapping[str, Entry], problems: list[Problem], files: str) -> Settings:
    # An empty value means the default; the emptiness of a required one is reported as missing.
    given = {key: entry.value for key, entry in entries.items() if key in KEYS and entry.value}
    settings = None
    try:
        settings = Settings.model_validate(given | _groups(entries))
    except ValidationError as error:
        problems += [_problem(str(one["loc"][0]), entries) for one in error.errors()]
    if settings:
        problems += _conflicts(settings, entries)
    if problems or settings is None:
        raise SettingsError(tuple(problems), files)
    return settings


def _groups(entries: Mapping[str, Entry]) -> dict[str, object]:
    environment: dict[str, str] = {}
    values: dict[str, str] = {}
    commands: dict[str, str] = {}
    for key, entry in entries.items():
        match = _GROUP.fullmatch(key)
        if key in KEYS or not match:
            continue
        if match["group"] == "ENV":
            environment[match["name"]] = entry.value
        elif key.endswith("_COMMAND"):
            commands[match["name"].removesuffix("_COMMAND").lower()] = entry.value
        elif entry.value:
            values[match["name"].lower()] = entry.value
        else:
            commands.setdefault(match["name"].lower(), "")
    return {"ENV_*": environment, "SECRET_*": values, "SECRET_*_COMMAND": commands}


def _problem(key: str, entries: Mapping[str, Entry]) -> Problem:
    entry = entries.get(key)
    if entry is None or not entry.value:
        where = f"{entry.where}: " if entry else ""
        return Problem(key, f"{where}{key} is missing; allowed: {allowed(key)}", missing=True)
    found = "given" if key in SECRET_KEYS else f'"{entry.value}"'
    return Problem(key, f"{entry.where}: {key} is {found}; allowed: {allowed(key)}")


def _conflicts(settings: Settings, entries: Mapping[str, Entry]) -> Iterator[Problem]:
    def where(key: str) -> str:
        return f"{entries[key].where}: " if key in entries else ""

    longest = 31  # a user name's limit: the app's user bears the app's name
    if len(settings.app) > longest:
        text = f"PROJECT and NAME make {settings.app!r}, longer than {longest} characters"
        yield Problem("NAME", f"{where('NAME')}{text}")
    taken = {settings.node_port or 22: "SSH"}
    for key, port in (("HTTPS_PORT", settings.https_port), ("HTTP_PORT", settings.http_port)):
        if port in taken:
            yield Problem(key, f"{where(key)}{key} is {port}, which {taken[port]} uses already")
        if port:
            taken[port] = key
    for source in settings.sources:
        if source.value is not None and source.command:
            key = source.key
            yield Problem(key, f"{where(key)}{key} and {key}_COMMAND are both set; keep one")


def with_node(settings: Settings, address: str, port: int | None, user: str | None) -> Settings:
    """Point settings at another node, as `fab -H user@host:port` asks."""
    changes = {"node_address": address, "node_port": port, "public_address": ""}
    if user:
        changes["node_user"] = user
    return settings.model_copy(update=changes)
