"""From a Butane record to the Ignition record beneath it: copy, and resolve local contents."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from butane.errors import ButaneError
from butane.translate.data_url import pack, percent_url
from butane.translate.files_folder import FilesFolder
from butane.translate.finding import Findings
from butane.translate.merge import Side, merge
from butane.translate.record import Path, Record, Struct, Value, fields_of
from butane.translate.schema import DROPIN, UNIT, USER
from butane.translate.schema_ignition import RESOURCE
from butane.translate.source_map import SourceMap
from butane.translate.versions import Version


@dataclass(slots=True)
class Lowering:
    """The context of one translation: version, folder, findings and sources."""

    version: Version
    files: FilesFolder
    findings: Findings = field(default_factory=Findings)
    sources: SourceMap = field(default_factory=SourceMap)

    @property
    def minor(self) -> int:
        """The minor version."""
        return self.version.minor

    def read(self, local: str, path: Path) -> bytes | None:
        """Read a local file; None with a finding when that fails."""
        try:
            return self.files.read(local)
        except ButaneError as error:
            self.findings.error(path, error.message)
            return None

    def merge_beneath(self, config: Record, part: Record, sources: SourceMap) -> Record:
        """Merge a generated part of a config beneath the user's own."""
        child = Side(config, self.sources)
        result, self.sources = merge(Side(part, sources), child, self.minor)
        return result


def lower(source: Record, path: Path, at: Lowering) -> Record:
    """Make the Ignition record of a Butane record."""
    result = Record(source.struct)
    for each in fields_of(source.struct, at.minor):
        value = source.values.get(each.name)
        if value is not None and not each.sugar:
            result.values[each.name] = _lower_value(value, (*path, each.name), at)
    if resolve := _RESOLVE.get(source.struct):
        resolve(source, result, path, at)
    return result


def _lower_value(value: Value, path: Path, at: Lowering) -> Value:
    if isinstance(value, Record):
        return lower(value, path, at)
    if not isinstance(value, list):
        return value
    records = [lower(x, (*path, i), at) for i, x in enumerate(value) if isinstance(x, Record)]
    return records or [each for each in value if isinstance(each, str)]


def _resource(source: Record, result: Record, path: Path, at: Lowering) -> None:
    local, inline = source.optional("local"), source.optional("inline")
    if local is not None:
        origin = (*path, "local")
        if (data := at.read(local, origin)) is not None:
            put_contents(data, result, path, origin, at)
    elif inline is not None:
        data = inline.encode("utf-8", "surrogateescape")
        put_contents(data, result, path, (*path, "inline"), at)


def put_contents(data: bytes, result: Record, path: Path, origin: Path, at: Lowering) -> None:
    """Put bytes into a resource as a data URL; compressed ones stay as they are."""
    at.sources.add(origin, (*path, "source"))
    if at.minor == 0:
        result.values["source"] = percent_url(data)
        return
    compressed = bool(result.text("compression"))
    result.values["source"], compression = pack(data, may_compress=not compressed)
    if not compressed:
        result.values["compression"] = compression
        at.sources.add(origin, (*path, "compression"))


def resource_of(data: bytes) -> Record:
    """Make a resource of bytes, compressed where that is shorter."""
    source, compression = pack(data)
    return Record(RESOURCE, {"source": source, "compression": compression})


def _ssh_keys(source: Record, result: Record, path: Path, at: Lowering) -> None:
    locals_ = source.texts("ssh_authorized_keys_local")
    if not locals_:
        return
    origin, target = (*path, "ssh_authorized_keys_local"), (*path, "ssh_authorized_keys")
    at.sources.add(origin, target)
    keys = list(result.texts("ssh_authorized_keys"))
    for index, local in enumerate(locals_):
        where = origin if at.files.root is None else (*origin, index)
        data = at.read(local, where)
        if data is None and at.files.root is None:
            return
        for line in re.split("\r?\n", (data or b"").decode("utf-8", "surrogateescape")):
            if line:
                at.sources.add((*origin, index), (*target, len(keys)))
                keys.append(line)
    result.values["ssh_authorized_keys"] = keys


def _unit_text(source: Record, result: Record, path: Path, at: Lowering) -> None:
    local = source.text("contents_local")
    if not local:
        return
    origin = (*path, "contents_local")
    if (data := at.read(local, origin)) is not None:
        at.sources.add(origin, (*path, "contents"))
        result.values["contents"] = data.decode("utf-8", "surrogateescape")


_RESOLVE: dict[Struct, Callable[[Record, Record, Path, Lowering], None]] = {
    RESOURCE: _resource,
    USER: _ssh_keys,
    UNIT: _unit_text,
    DROPIN: _unit_text,
}
