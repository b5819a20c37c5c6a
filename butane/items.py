"""List everything in an Ignition config, for `explain` and `diff`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from butane.errors import ButaneError
from butane.translate.data_url import carried
from butane.translate.ignition_document import read_ignition
from butane.translate.record import Record, Value, fields_of
from butane.translate.schema_ignition import RESOURCE
from butane.translate.translation import translate
from butane.translate.versions import IGNITION

_MINORS = {ignition: minor for minor, ignition in enumerate(IGNITION.values())}


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a config: kind, name, properties and, for files and units, content.

    `secret` is the hash of a key file, which is compared but not shown.
    """

    kind: str
    name: str
    facts: tuple[tuple[str, str], ...] = ()
    content: bytes | None = field(default=None, repr=False)
    secret: str = field(default="", repr=False)

    @property
    def text(self) -> str | None:
        """The content as text; None without content, or for binary content."""
        try:
            return None if self.content is None else self.content.decode()
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Items:
    """All items in the order of the config, and the config's version."""

    version: str
    items: tuple[Item, ...]


def read_items(text: str, *, files: Path | None = None, name: str = "") -> Items:
    """Read the items of Ignition JSON or of a Butane text.

    Raises:
        ButaneError: when the text is neither.
    """
    if not text.lstrip().startswith("{"):
        text = _compile(text, files, name)
    version = _read(text, max(_MINORS.values()), name).record("ignition").text("version")
    if version not in _MINORS:
        raise ButaneError(f"{name}: Ignition version {version or 'missing'} is not known")
    minor = _MINORS[version]
    return Items(version, tuple(_items(_read(text, minor, name), minor)))


def _read(text: str, minor: int, name: str) -> Record:
    try:
        return read_ignition(text, minor)[0]
    except ButaneError as error:
        raise ButaneError(f"{name}: {error.message}", error.hint) from error


def _compile(text: str, files: Path | None, name: str) -> str:
    done = translate(text, files=files, name=name)
    if done.ignition is None:
        problems = "\n".join(str(each) for each in done.reports if each.kind == "error")
        raise ButaneError(f"{name} does not translate:\n{problems}")
    return done.ignition


def _items(config: Record, minor: int) -> Iterator[Item]:
    yield from _references(config.record("ignition"))
    for name, state in (("should_exist", "present"), ("should_not_exist", "absent")):
        for each in config.record("kernel_arguments").texts(name):
            yield Item("kernel argument", each, (("state", state),))
    for section, kinds in _KINDS.items():
        for name, (kind, key) in kinds.items():
            for record in config.record(section).records(name):
                yield from _things(record, kind, key, minor)


_KINDS = {
    "passwd": {"groups": ("group", "name"), "users": ("user", "name")},
    "storage": {
        "disks": ("disk", "device"),
        "raid": ("array", "name"),
        "luks": ("encrypted volume", "name"),
        "filesystems": ("filesystem", "device"),
        "directories": ("directory", "path"),
        "files": ("file", "path"),
        "links": ("link", "path"),
    },
    "systemd": {"units": ("unit", "name")},
}


def _references(ignition: Record) -> Iterator[Item]:
    config = ignition.record("config")
    for each in config.records("merge"):
        yield Item("merged config", _address(each), content=content_of(each))
    if config.record("replace").has("source"):
        replace = config.record("replace")
        yield Item("replacing config", _address(replace), content=content_of(replace))
    for each in ignition.record("security").record("tls").records("certificate_authorities"):
        yield Item("certificate authority", _address(each), content=content_of(each))
    for section in ("proxy", "timeouts"):
        if values := ignition.record(section).values:
            yield Item(section, "", tuple((k, _say(v, k)) for k, v in values.items()))


def _things(record: Record, kind: str, key: str, minor: int) -> Iterator[Item]:
    facts = [
        (each.name, _say(record.values[each.name], each.name))
        for each in fields_of(record.struct, minor)
        if each.name in record.values and each.name not in (key, *_APART)
    ]
    name = record.text(key)
    content: bytes | None = None
    if kind == "file":
        content = _file_content(record)
        facts += _sources(record)
    elif record.has("contents"):
        content = record.text("contents").encode("utf-8", "surrogateescape")
    secret = hashlib.sha256(content_of(record.record("key_file")) or b"").hexdigest()
    yield Item(kind, name, tuple(facts), content, secret)
    for each in record.records("dropins"):
        text = each.text("contents").encode("utf-8", "surrogateescape")
        yield Item("drop-in", f"{name}.d/{each.text('name')}", (), text)
    for each in record.records("partitions"):
        label = each.text("label") or str(each.number("number") or "")
        values = each.values.items()
        yield Item("partition", f"{name} {label}", tuple((k, _say(v, k)) for k, v in values))


_APART = ("contents", "append", "dropins", "partitions")


def _file_content(file: Record) -> bytes | None:
    parts = [file.record("contents")] if file.record("contents").has("source") else []
    found = [content_of(each) for each in (*parts, *file.records("append"))]
    known = [each for each in found if each is not None]
    return b"".join(known) if found and len(known) == len(found) else None


def _sources(file: Record) -> Iterator[tuple[str, str]]:
    for each in (file.record("contents"), *file.records("append")):
        if each.has("source") and not each.text("source").startswith("data:"):
            yield "from", each.text("source")
    if file.records("append"):
        yield "append", str(len(file.records("append")))


def content_of(resource: Record) -> bytes | None:
    """Decode the content of a resource; None when the machine downloads it."""
    return carried(resource.text("source"), resource.text("compression"))


def _address(resource: Record) -> str:
    source = resource.text("source")
    if not source.startswith("data:"):
        return source
    return f"inline {hashlib.sha256(content_of(resource) or b'').hexdigest()[:12]}"


def _say(value: Value, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:04o}" if name == "mode" else str(value)
    if isinstance(value, Record):
        if value.struct is RESOURCE:
            return value.text("source") if content_of(value) is None else "inline"
        return ", ".join(f"{k} {_say(v, k)}" for k, v in value.values.items())
    if isinstance(value, list):
        return ", ".join(_say(each, name) for each in value)
    return value
