"""Translate Butane text to Ignition JSON."""

from dataclasses import dataclass
from pathlib import Path

from butane.errors import ButaneError
from butane.translate.decode import Decoder, Problem
from butane.translate.desugar import desugar
from butane.translate.files_folder import FilesFolder
from butane.translate.finding import Finding, Findings
from butane.translate.ignition_check import check_ignition
from butane.translate.ignition_json import write
from butane.translate.lower import Lowering
from butane.translate.record import Record
from butane.translate.report import Report, make_reports, with_excerpt
from butane.translate.schema import CONFIG, HEADER
from butane.translate.source_check import check_source
from butane.translate.unused_key import find_unused_keys
from butane.translate.versions import Version, find_version
from butane.translate.yaml_node import Node, read_document

UNREADABLE = "yaml: the file does not fit the schema"
INVALID_SOURCE = "source config is invalid"
INVALID_RESULT = "config generated was invalid"
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
    job = _Job(text, name, FilesFolder(files), pretty=pretty)
    try:
        done = job.run()
    except ButaneError as error:
        return Translation(None, (Report("error", "", 0, 0, error.message),), error.message)
    if strict and done.ignition is not None and done.reports:
        return Translation(None, done.reports, STRICT)
    return done


@dataclass(frozen=True, slots=True)
class _Job:
    text: str
    name: str
    files: FilesFolder
    pretty: bool

    def run(self) -> Translation:
        """Run all stages; stop after the first one with errors."""
        root = read_document(self.text)
        version = _find_version(root)
        decoder = Decoder(version.minor)
        config = decoder.record(root, CONFIG)
        if config is None or decoder.problems:
            return self._undecoded(decoder.problems)
        return self._translate(root, config, version)

    def _translate(self, root: Node, source: Record, version: Version) -> Translation:
        at = Lowering(version, self.files)
        find_unused_keys(source, root, version.minor, at.findings)
        check_source(source, version, at.findings)
        if at.findings.are_fatal():
            return self._refuse(root, at.findings, INVALID_SOURCE)
        config = desugar(source, at)
        if at.findings.are_fatal():
            return self._refuse(root, at.findings, INVALID_SOURCE)
        result = Findings()
        check_ignition(config, version, result)
        for each in result.found:
            path = at.sources.find(each.path)
            at.findings.found.append(Finding(each.kind, path, each.message))
        if at.findings.are_fatal():
            return self._refuse(root, at.findings, INVALID_RESULT)
        reports = make_reports(at.findings.found, root, self.text, self.name)
        return Translation(write(config, version, pretty=self.pretty), reports)

    def _refuse(self, root: Node, findings: Findings, why: str) -> Translation:
        return Translation(None, make_reports(findings.found, root, self.text, self.name), why)

    def _undecoded(self, problems: list[Problem]) -> Translation:
        lines = self.text.split("\n")
        reports = tuple(
            with_excerpt(Report("error", "", x.line, x.column, x.message), lines, self.name)
            for x in problems
        )
        return Translation(None, reports, UNREADABLE)


def _find_version(root: Node) -> Version:
    decoder = Decoder(0)
    header = decoder.record(root, HEADER)
    if decoder.problems:
        first = decoder.problems[0]
        raise ButaneError(f"Error unmarshaling yaml: line {first.line}: {first.message}")
    found = header or Record(HEADER)
    return find_version(found.text("variant"), found.text("version"))
