"""What a bundle contains: bundle.json with commands, a list of acts, and the files these write."""

import gzip
import io
import json
import re
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import BaseModel, Field

from deploy.bundle.plan.node_command import NodeCommand
from deploy.errors import DeployError
from deploy.node.answer import reading
from deploy.node.file import File, pack
from deploy.node.schema import SCHEMA
from deploy.spec.plan.act import Act, acts_at
from deploy.spec.plan.machine import Machine

# What a node reads of one: its script has the same numbers.
_MOST_PACKED, _MOST_BYTES, _MOST_FILES = 4 << 20, 16 << 20, 5000
SECRETS = "secrets/"
# How many specs a node may have for which a bundle is.
MOST_SPECS = 1000
_PLAIN = re.compile(r"[ -{}~]+")


@dataclass(frozen=True, slots=True)
class Author:
    """Who published something, of which commit."""

    who: str
    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """The files of a bundle, and the spec that they make of a machine.

    `made_for` are the specs of the machines that it is for: what one of these had and the new one
    has not is removed.
    """

    serial: int
    spec: str
    made_for: tuple[str, ...]
    author: Author
    files: tuple[File, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle has for its node."""

    configuration: Configuration | None = None
    commands: tuple[NodeCommand, ...] = ()
    secrets: tuple[File, ...] = field(default=(), repr=False)

    def with_secrets(
        self, added: Sequence[File], *, app: str, known: Collection[str]
    ) -> "Contents":
        """Add credentials of an app, in place of earlier ones; only the `known` ones stay."""
        own = f"{SECRETS}{app}/"
        kept = (
            one
            for one in self.secrets
            if not one.path.startswith(own)
            or one.path.removeprefix(own).removesuffix(".cms") in known
        )
        found = {one.path: one for one in (*kept, *added)}
        return replace(self, secrets=tuple(found.values()))

    def without_expired(self, now: int) -> "Contents":
        """Leave out the commands that the node does not carry out any more."""
        return replace(self, commands=tuple(one for one in self.commands if one.expires > now))


class _FilesHead(BaseModel):
    serial: int
    spec: str
    made_for: tuple[str, ...] = Field(alias="for")
    who: str
    commit: str
    dirty: bool

    def configuration(self, files: tuple[File, ...]) -> Configuration:
        author = Author(self.who, self.commit, self.dirty)
        return Configuration(self.serial, self.spec, self.made_for, author, files)


class _CommandHead(BaseModel):
    serial: int
    expires: int
    words: tuple[str, ...]
    who: str

    @property
    def command(self) -> NodeCommand:
        return NodeCommand(self.serial, self.expires, self.words, self.who)


class _Head(BaseModel):
    schema_version: Literal[1]
    files: _FilesHead | None
    commands: tuple[_CommandHead, ...] = ()


def configuration_files(target: Machine, earlier: Sequence[Machine]) -> tuple[File, ...]:
    """List the acts of a bundle and the content that they write.

    Raises:
        DeployError: for a path that a bundle cannot have.
    """
    content = {place.path: place.content for place in target.places}
    keys = {one.name: "".join(f"{key}\n" for key in one.keys) for one in target.people}
    lines: list[str] = []
    files: list[File] = []
    for act, *after in _acts(target, earlier):
        lines.append(_line(act, after))
        if act.word == "file":
            files.append(File(f"new{act.subject}", content[act.subject] or b"", 0o600))
        elif act.word == "keys":
            files.append(File(f"keys/{act.subject}", keys[act.subject].encode(), 0o600))
    return (File("acts", "".join(f"{line}\n" for line in lines).encode(), 0o600), *files)


def bundle(node: str, serial: int, contents: Contents) -> bytes:
    """Pack a bundle for a node; the same parts give the same bytes.

    Raises:
        DeployError: when it is larger than nodes read.
    """
    made = contents.configuration
    files = (*(made.files if made else ()), *contents.secrets)
    head: Mapping[str, object] = {
        "schema_version": SCHEMA,
        "node": node,
        "serial": serial,
        "files": _files_head(made) if made else None,
        "commands": [one.as_json(node) for one in contents.commands],
    }
    first = File("bundle.json", json.dumps(head, separators=(",", ":")).encode(), 0o600)
    plain = pack((first, *files))
    packed = gzip.compress(plain, mtime=0)
    if len(packed) > _MOST_PACKED or len(plain) > _MOST_BYTES or len(files) >= _MOST_FILES:
        raise DeployError(
            f"the bundle has {len(files)} files and {len(plain)} bytes ({len(packed)} compressed), "
            "more than a node takes",
            "put large files into an image, or on the machine by making it again (`fab cloud`)",
        )
    return packed


def read_bundle(packed: bytes) -> Contents:
    """Read a bundle that a key of ours has signed.

    Raises:
        DeployError: when it is not understood.
    """
    with reading("the bundle in the registry", "publish another one: `fab publish --node`"):
        unpacked = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(packed, _MOST_BYTES)
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            files = tuple(_entries(archive))
        head = _Head.model_validate_json(files[0].content)
    secrets = tuple(one for one in files[1:] if one.path.startswith(SECRETS))
    own = tuple(one for one in files[1:] if one not in secrets)
    made = head.files.configuration(own) if head.files else None
    return Contents(made, tuple(one.command for one in head.commands), secrets)


def not_brought(target: Machine, earlier: Iterable[Machine]) -> tuple[str, ...]:
    """Name what differs from an earlier spec, and only a machine made again gets."""
    found: dict[str, None] = {}
    for one in earlier:
        if one.layout != target.layout:
            found["disks and file systems"] = None
        if one.kernel_arguments != target.kernel_arguments:
            found["kernel arguments"] = None
        if {(a.name, a.groups) for a in one.people} != {(a.name, a.groups) for a in target.people}:
            found["users"] = None
        if one.first_boot != target.first_boot:
            found["what only a first boot makes"] = None
    return tuple(found)


def _acts(target: Machine, earlier: Sequence[Machine]) -> Iterator[tuple[Act, ...]]:
    """Give each act with those that follow it."""
    known = {place.path for place in target.places}
    mounts = frozenset[str]().union(*(one.mounts for one in (target, *earlier)))
    for place in target.places:
        if place.content is not None and _name(place.path) not in mounts:
            yield tuple(acts_at(place.path, target))
    for person in target.people:
        yield (Act("keys", person.name),)
    for name in target.enabled:
        if name not in mounts:
            yield (Act("enable", name),)
    gone = {
        place.path: None
        for one in earlier
        for place in one.places
        if place.kind != "folder" and place.path not in known and _name(place.path) not in mounts
    }
    for path in gone:
        yield tuple(acts_at(path, target))
    left = {*target.enabled, *mounts}
    stopped = {name: None for one in earlier for name in one.enabled if name not in left}
    for name in stopped:
        yield (Act("disable", name),)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _files_head(made: Configuration) -> Mapping[str, object]:
    return {
        "serial": made.serial,
        "spec": made.spec,
        "for": list(made.made_for),
        "who": made.author.who,
        "commit": made.author.commit,
        "dirty": made.author.dirty,
    }


def _entries(archive: tarfile.TarFile) -> Iterator[File]:
    for entry in archive:
        file = archive.extractfile(entry)
        if file is None:
            raise ValueError(f"{entry.name!r} is no file")
        yield File(entry.name, file.read(), 0o600)


def _line(act: Act, after: Iterable[Act]) -> str:
    words = " ".join(f"{one.word}:{one.subject}" for one in after)
    line = "|".join((act.word, act.subject, act.mode, act.owner, act.target, words))
    if not _PLAIN.fullmatch(line.replace("|", "")) or line.count("|") != 5:  # noqa: PLR2004
        raise DeployError(
            f"the path {act.subject!r} has characters other than printable ASCII, or |",
            "give the file another name; a bundle cannot bring it",
        )
    return line
