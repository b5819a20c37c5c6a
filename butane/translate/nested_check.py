"""The check of an Ignition config that a Butane file holds inline, to merge or to replace it."""

from collections.abc import Iterator

from butane.errors import ButaneError
from butane.translate.finding import Finding, Findings
from butane.translate.ignition_check import check_duplicates, check_rules
from butane.translate.ignition_document import Json, read_ignition
from butane.translate.place import Place
from butane.translate.record import Field, Path, Record, Struct, camel, fields_of
from butane.translate.unused_key import mismatch
from butane.translate.versions import parse_semver

_SKIPPED = "skipping validation for the merge/replace ignition config due to an unkown version"


def check_nested(text: str, at: Place) -> None:
    """Check an inline config; a config of another version is left alone with a warning."""
    try:
        document = read_ignition(text, at.minor)
    except ButaneError as error:
        at.findings.error((), error.message)
        at.error("inline", message="config is not valid")
        return
    version = parse_semver(document.config.record("ignition").text("version"))
    if version is not None and version != at.version.ignition:
        at.warn("version", message=_SKIPPED)
        return
    found = Findings()
    if version is None:
        found.error(("ignition", "version"), "invalid config version (couldn't parse)")
    check_rules(document.config, at.version, found)
    check_duplicates(document.config, at.version, found)
    for each in found.found:
        at.findings.found.append(Finding(each.kind, _json_path(each.path), each.message))
    _unused(document.config, document.json, (), at)


def _json_path(path: Path) -> Path:
    return tuple(camel(each) if isinstance(each, str) else each for each in path)


def _unused(record: Record, tree: Json, path: Path, at: Place) -> None:
    """Warn of keys that the version does not know, as deep as the schema goes."""
    if not isinstance(tree, dict):
        at.findings.warn(path, mismatch(path))
        return
    fields = {x.json: x for x in fields_of(record.struct, at.minor) if not x.sugar}
    for key in tree:
        if key not in fields:
            at.findings.unused(path, key)
    for name in [name for name in fields if name in tree]:
        for value, child, below in _below(record, fields[name], tree[name]):
            _unused(value, child, (*path, name, *below), at)


def _below(record: Record, each: Field, tree: Json) -> Iterator[tuple[Record, Json, Path]]:
    if not isinstance(each.type, Struct):
        return
    if each.many:
        items = tree if isinstance(tree, list) else []
        pairs = zip(record.records(each.name), items, strict=False)
        for index, (value, item) in enumerate(pairs):
            yield value, item, (index,)
    elif record.has(each.name):
        yield record.record(each.name), tree, ()
    elif each.plain:
        yield Record(each.type), tree, ()
