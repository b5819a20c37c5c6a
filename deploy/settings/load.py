"""Load Settings from `.env`, `.env.NAME` and the environment; a later one overrides."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError, create_model

from deploy.errors import DeployError
from deploy.settings.conflicts import conflicts
from deploy.settings.env_file import GROUP, Entry, Problem, environment_entries, file_entries
from deploy.settings.model import KEYS, Settings, allowed
from deploy.settings.secrets import SECRET_KEYS


class SettingsError(DeployError):
    """Every problem of the settings at once."""

    def __init__(self, problems: tuple[Problem, ...], files: str) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem.text}" for problem in problems)
        super().__init__(
            f"{count} in the settings:\n{lines}",
            f"correct {files}; corefab's .env.example explains every setting",
        )
        self.problems = problems

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys to ask for; empty when something else is wrong too."""
        every = all(problem.missing for problem in self.problems)
        return tuple(problem.key for problem in self.problems) if every else ()


def read_settings(
    folder: Path, name: str | None = None, answers: Mapping[str, str] | None = None
) -> Settings:
    """Load the settings of an instance; `answers` fill in missing keys.

    Raises:
        SettingsError: with every problem: file and line, what was found, what is allowed.
    """
    problems: list[Problem] = []
    entries, files = _entries(folder, name, problems)
    for key, answer in (answers or {}).items():
        if key not in entries or not entries[key].value:
            entries[key] = Entry(key, answer, "your answer")
    # An empty value means the default; an empty required setting is reported as missing.
    given = {key: entry.value for key, entry in entries.items() if key in KEYS and entry.value}
    settings = _validated(Settings, {**given, **_groups(entries)}, entries, problems)
    for key, text in conflicts(settings) if settings else ():
        where = f"{entries[key].where}: " if key in entries else ""
        problems.append(Problem(key, f"{where}{text}"))
    if problems or settings is None:
        raise SettingsError(tuple(problems), files)
    return settings


def read_needed(
    folder: Path,
    name: str | None,
    keys: Collection[str],
    options: Mapping[str, str] | None = None,
) -> Settings:
    """Load only these settings of an instance, and NAME; the others are None and not checked.

    `ENV_*` stands for the app's own variables. `options` are settings from the command line.

    Raises:
        SettingsError: with every problem of these settings.
    """
    problems: list[Problem] = []
    entries, files = _entries(folder, name, problems)
    for key, value in (options or {}).items():
        entries[key] = Entry(key, value, f"--{key.lower()}")
    wanted = {*keys, "NAME"}
    given: dict[str, object] = {
        key: entries[key].value for key in wanted & entries.keys() if entries[key].value
    }
    given |= {key: found for key, found in _groups(entries).items() if key in wanted}
    settings = _validated(_only(wanted), given, entries, problems)
    wrong = [problem for problem in problems if problem.key in wanted]
    if wrong or settings is None:
        # An unreadable file or line may be why a setting seems to be missing.
        unread = [problem for problem in problems if not problem.key]
        raise SettingsError((*unread, *wrong), files)
    return settings


def with_node(settings: Settings, address: str, port: int | None, user: str | None) -> Settings:
    """Point settings at another node, as `fab -H user@host:port` asks."""
    changes = {"node_address": address, "node_port": port, "public_address": ""}
    if user:
        changes["node_user"] = user
    return settings.model_copy(update=changes)


def read_instances(folder: Path) -> tuple[Settings, ...]:
    """Load the settings of every instance: that of `.env` and one for each `.env.NAME`.

    Raises:
        SettingsError: for the first instance that has a problem.
    """
    names = sorted(file.name.removeprefix(".env.") for file in folder.glob(".env.*"))
    found = (read_settings(folder), *(read_settings(folder, n) for n in names if n != "example"))
    return tuple({settings.app: settings for settings in found}.values())


def _entries(
    folder: Path, name: str | None, problems: list[Problem]
) -> tuple[dict[str, Entry], str]:
    """Read the files and the environment; also return the names of the files."""
    entries = file_entries(folder / ".env", problems)
    usual = entries["NAME"].value if "NAME" in entries else ""
    files = [folder / ".env", *_instance_files(folder, name, usual, problems)]
    for file in files[1:]:
        entries |= file_entries(file, problems)
    entries |= environment_entries(entries)
    if name:
        entries["NAME"] = Entry("NAME", name, "--name")
    return entries, " and ".join(file.name for file in files)


def _instance_files(
    folder: Path, name: str | None, usual: str, problems: list[Problem]
) -> list[Path]:
    known = {file.name.removeprefix(".env."): file for file in folder.glob(".env.*")}
    known.pop("example", None)
    if name and name not in known and name != usual:
        here = ", ".join(sorted(known)) or "none"
        problems.append(Problem("NAME", f".env.{name} does not exist; instances here: {here}"))
    return [known[name]] if name in known else []


def _validated(
    model: type[Settings],
    given: Mapping[str, object],
    entries: Mapping[str, Entry],
    problems: list[Problem],
) -> Settings | None:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems += [_problem(str(one["loc"][0]), entries) for one in error.errors()]
    return None


def _only(keys: Collection[str]) -> type[Settings]:
    """Make a model that checks these settings only; the others are None."""
    fields = Settings.model_fields.items()
    others = {name: (Any, None) for name, field in fields if field.alias not in keys}
    return create_model("SomeSettings", __base__=Settings, **cast("dict[str, Any]", others))


def _groups(entries: Mapping[str, Entry]) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {"ENV_*": {}, "SECRET_*": {}, "SECRET_*_COMMAND": {}}
    for key, entry in entries.items():
        match = GROUP.fullmatch(key)
        if key in KEYS or not match:
            continue
        name = match["variable"] or match["secret"].lower()
        if match["variable"]:
            groups["ENV_*"][name] = entry.value
        elif name.endswith("_command"):
            groups["SECRET_*_COMMAND"][name.removesuffix("_command")] = entry.value
        elif entry.value:
            groups["SECRET_*"][name] = entry.value
        else:
            groups["SECRET_*_COMMAND"].setdefault(name, "")
    return groups


def _problem(key: str, entries: Mapping[str, Entry]) -> Problem:
    entry = entries.get(key)
    if entry is None or not entry.value:
        where = f"{entry.where}: " if entry else ""
        return Problem(key, f"{where}{key} is missing; allowed: {allowed(key)}", missing=True)
    found = "given" if key in SECRET_KEYS else f'"{entry.value}"'
    return Problem(key, f"{entry.where}: {key} is {found}; allowed: {allowed(key)}")
