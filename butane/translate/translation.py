"""Translate Butane text to Ignition JSON."""

from dataclasses import dataclass, replace
from pathlib import Path

from butane.errors import ButaneError
from butane.translate.decode import Decoder
from butane.translate.desugar import desugar
from butane.translate.files_folder import FilesFolder
from butane.translate.finding import Findings, run_checks
from butane.translate.ignition_check import check_ignition
from butane.translate.ignition_json import write
from butane.translate.lower import Lowering
from butane.translate.record import Record
from butane.translate.report import Report, make_reports, with_excerpt
from butane.translate.schema import CONFIG, HEADER
from butane.translate.source_check import CHECKS
from butane.translate.unused_key import find_unused_keys
from butane.translate.versions import Version, find_version
from butane.translate.yaml_node import Node, read_document

_UNREADABLE = "yaml: the file does not fit the schema"
_INVALID_SOURCE = "source config is invalid"
_INVALID_RESULT = "config generated was invalid"
STRICT = "Config produced warnings and --strict was specified"


@dataclass(frozen=True, slots=True)
class Translation:
    """The Ignition JSON, absent when there are errors, and the reports.

    `failure` says in a few words why there is no result; it is empty when there is one.
    """

    ignition: str | None
    reports: tuple[Report, ...]
    failure: str = ""


def translate(
    text: str,
    *,
    files: Path | None = None,
    name: str = "",
    strict: bool = False,
    pretty: bool = False,
) -> Translation:
    """Translate Butane of variant fcos; with `strict`, warnings are errors.

    `files` is the folder of local files; `name` is the file's name, shown in the excerpts.
    """
    try:
        root = read_document(text)
    except ButaneError as error:
        return _failed(error)
    done = translate_node(root, files=files, strict=strict, pretty=pretty)
    lines = text.split("\n")
    return replace(done, reports=tuple(with_excerpt(each, lines, name) for each in done.reports))


def translate_node(
    root: Node, *, files: Path | None = None, strict: bool = False, pretty: bool = False
) -> Translation:
    """Translate a document that was read before; its reports have no excerpts."""
    try:
        version = _find_version(root)
    except ButaneError as error:
        return _failed(error, root.child("version") if root.file else None)
    try:
        decoder = Decoder(version.minor)
        source = decoder.record(root, CONFIG)
        if source is None or decoder.problems:
            return Translation(None, tuple(decoder.problems), _UNREADABLE)
        at = Lowering(version, FilesFolder(files))
        config, failure = _make(source, root, at)
    except ButaneError as error:
        return _failed(error)
    reports = make_reports(at.findings.found, root)
    if strict and reports:
        failure = failure or STRICT
    return Translation(None if failure else write(config, version, pretty=pretty), reports, failure)


def _failed(error: ButaneError, at: Node | None = None) -> Translation:
    line, file = (at.line, at.file) if at else (0, "")
    report = Report("error", "", line, 0, error.message, file=file)
    return Translation(None, (report,), error.message)


def _make(source: Record, root: Node, at: Lowering) -> tuple[Record, str]:
    """Make the Ignition config, as far as it has no errors; say which stage found any."""
    find_unused_keys(source, root, (), at.minor, at.findings)
    run_checks(source, CHECKS, at.version, at.findings)
    if at.findings.are_fatal():
        return source, _INVALID_SOURCE
    config = desugar(source, at)
    if at.findings.are_fatal():
        return config, _INVALID_SOURCE
    result = Findings()
    check_ignition(config, at.version, result)
    for each in result.found:
        at.findings.found.append(replace(each, path=at.sources.find(each.path)))
    return config, _INVALID_RESULT if at.findings.are_fatal() else ""


def _find_version(root: Node) -> Version:
    decoder = Decoder(0)
    header = decoder.record(root, HEADER)
    if decoder.problems:
        first = decoder.problems[0]
        raise ButaneError(f"Error unmarshaling yaml: line {first.line}: {first.message}")
    found = header or Record(HEADER)
    return find_version(found.text("variant"), found.text("version"))
