"""What an Ignition config puts on a machine: files, users, enabled units, kernel arguments."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from butane.translate.data_url import carried

_ROOT = "root"
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_SYSTEMD = "/etc/systemd/system"
_SYSCTL = "/etc/sysctl.d/*.conf"
# Only a reinstall can change these.
_LAYOUT = ("disks", "raid", "filesystems", "luks")


@dataclass(frozen=True, slots=True)
class Place:
    """A file, folder or link; `mode` and `owner` as `stat` prints them."""

    path: str
    kind: Literal["file", "folder", "link"]
    mode: str = ""
    owner: str = "root:root"
    target: str = ""
    content: bytes | None = field(default=b"", repr=False)

    @property
    def sha256(self) -> str:
        """The content's hash in lower hex; empty for content that the machine downloads."""
        return "" if self.content is None else hashlib.sha256(self.content).hexdigest()

    @property
    def text(self) -> str:
        """The content as text; empty where it is binary or downloaded."""
        try:
            return (self.content or b"").decode()
        except UnicodeDecodeError:
            return ""


@dataclass(frozen=True, slots=True)
class Person:
    """A user with groups, SSH keys and home folder."""

    name: str
    groups: tuple[str, ...]
    keys: tuple[str, ...]
    home: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything that the config defines.

    `layout` is its disks and file systems, as JSON. `first_boot` has, by path, what only a first
    boot makes: appended text, hard links, and content that the machine downloads.
    """

    places: tuple[Place, ...]
    people: tuple[Person, ...]
    enabled: tuple[str, ...]
    kernel_arguments: tuple[str, ...]
    layout: str
    first_boot: Mapping[str, str] = field(default_factory=dict)

    @property
    def question(self) -> frozenset[str]:
        """What the script `inspect` is to look at, a line each."""
        return frozenset((
            *(f"path {place.path}" for place in self.places),
            *(f"user {person.name}" for person in self.people),
            *(f"unit {name}" for name in self.enabled),
            *(f"sysctl {name}" for name in self.sysctl),
        ))  # fmt: skip

    @property
    def sysctl(self) -> Mapping[str, str]:
        """The kernel parameters that the sysctl.d files set."""
        texts = {one.path: one.text for one in self.places if fnmatchcase(one.path, _SYSCTL)}
        lines = [line for path in sorted(texts) for line in texts[path].splitlines()]
        pairs = [line.partition("=") for line in lines if "=" in line and line[:1] not in "#;"]
        return {name.strip().lstrip("-"): " ".join(value.split()) for name, _, value in pairs}

    @property
    def mounts(self) -> frozenset[str]:
        """The units that mount its file systems: like these, only a reinstall can change them."""
        systems = json.loads(self.layout or "{}").get("filesystems", [])
        lines = {f"What={one['device']}" for one in systems}
        units = (one for one in self.places if one.path.startswith(f"{_SYSTEMD}/"))
        return frozenset(
            one.path.rpartition("/")[2] for one in units if lines & set(one.text.splitlines())
        )


def read_machine(ignition: str) -> Machine:
    """Read an Ignition config; appended files and hard links are left out."""
    config = json.loads(ignition)
    storage, units = config.get("storage", {}), config.get("systemd", {}).get("units", [])
    layout = {name: storage[name] for name in _LAYOUT if name in storage}
    return Machine(
        places=(*_places(storage), *_unit_files(units)),
        people=tuple(_people(config.get("passwd", {}).get("users", []))),
        enabled=tuple(unit["name"] for unit in units if unit.get("enabled")),
        kernel_arguments=tuple(config.get("kernelArguments", {}).get("shouldExist", [])),
        layout=json.dumps(layout, sort_keys=True) if layout else "",
        first_boot=dict(_first_boot(storage)),
    )


def _first_boot(storage: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    for one in storage.get("files", []):
        source = (one.get("contents") or {}).get("source") or "data:"
        if one.get("append") or not source.startswith("data:"):
            yield str(one["path"]), json.dumps(one, sort_keys=True)
    for one in storage.get("links", []):
        if one.get("hard"):
            yield str(one["path"]), json.dumps(one, sort_keys=True)


def _places(storage: dict[str, list[dict[str, Any]]]) -> Iterator[Place]:
    for one in storage.get("directories", []):
        mode = f"{one.get('mode') or _FOLDER_MODE:o}"
        yield Place(str(one["path"]), "folder", mode, _owner(one))
    for one in storage.get("files", []):
        path = str(one["path"])
        # The content after an append is not known here.
        if not one.get("append"):
            mode = f"{one.get('mode') or _FILE_MODE:o}"
            yield Place(path, "file", mode, _owner(one), content=_content(one))
    for one in storage.get("links", []):
        if not one.get("hard"):
            yield Place(str(one["path"]), "link", target=str(one.get("target", "")))


def _unit_files(units: list[dict[str, Any]]) -> Iterator[Place]:
    for unit in units:
        path = f"{_SYSTEMD}/{unit['name']}"
        if unit.get("mask"):
            yield Place(path, "link", target="/dev/null")
        elif unit.get("contents"):
            yield Place(path, "file", f"{_FILE_MODE:o}", content=str(unit["contents"]).encode())
        for dropin in unit.get("dropins") or []:
            content = str(dropin.get("contents", "")).encode()
            yield Place(f"{path}.d/{dropin['name']}", "file", f"{_FILE_MODE:o}", content=content)


def _content(file: dict[str, Any]) -> bytes | None:
    contents = file.get("contents") or {}
    return carried(contents.get("source") or "data:,", contents.get("compression") or "")


def _owner(one: dict[str, object]) -> str:
    return f"{_name(one.get('user'))}:{_name(one.get('group'))}"


def _name(one: object) -> str:
    if not isinstance(one, dict):
        return _ROOT
    return str(one.get("name") or one.get("id") or _ROOT)


def _people(users: list[dict[str, Any]]) -> Iterator[Person]:
    for user in users:
        groups, keys = user.get("groups") or [], user.get("sshAuthorizedKeys") or []
        yield Person(user["name"], tuple(groups), tuple(keys), user.get("homeDir") or "")
