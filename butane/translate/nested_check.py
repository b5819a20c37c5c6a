"""The check of an Ignition config that a Butane file holds inline, to merge or to replace it."""

from dataclasses import replace

from butane.errors import ButaneError
from butane.translate.finding import Findings, Place, run_checks
from butane.translate.ignition_check import CHECKS, check_duplicates
from butane.translate.ignition_document import read_ignition
from butane.translate.record import camel
from butane.translate.unused_key import find_unused_keys
from butane.translate.versions import parse_semver

_SKIPPED = "skipping validation for the merge/replace ignition config due to an unkown version"


def check_nested(text: str, at: Place) -> None:
    """Check an inline config; a config of another version is left alone with a warning."""
    try:
        config, tree = read_ignition(text, at.minor)
    except ButaneError as error:
        at.findings.error((), error.message)
        at.error("inline", message="config is not valid")
        return
    version = parse_semver(config.record("ignition").text("version"))
    if version is not None and version != at.version.ignition:
        at.warn("version", message=_SKIPPED)
        return
    found = Findings()
    if version is None:
        found.error(("ignition", "version"), "invalid config version (couldn't parse)")
    run_checks(config, CHECKS, at.version, found)
    check_duplicates(config, at.version, found)
    for each in found.found:
        path = tuple(camel(part) if isinstance(part, str) else part for part in each.path)
        at.findings.found.append(replace(each, path=path))
    find_unused_keys(config, tree, (), at.minor, at.findings)
