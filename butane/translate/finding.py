"""Collect errors and warnings by path, and run checks over a whole config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from butane.translate.record import Path, Record, Struct, walk_records
from butane.translate.versions import Version

Kind: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning; `at_key` points at the key instead of its value."""

    kind: Kind
    path: Path
    message: str
    at_key: bool = False


@dataclass(slots=True)
class Findings:
    """The errors and warnings found so far."""

    found: list[Finding] = field(default_factory=list)

    def error(self, path: Path, message: str) -> None:
        """Add an error."""
        self.found.append(Finding("error", path, message))

    def warn(self, path: Path, message: str) -> None:
        """Add a warning."""
        self.found.append(Finding("warning", path, message))

    def unused(self, path: Path, key: str) -> None:
        """Add a warning about a key that the version does not have."""
        self.found.append(Finding("warning", (*path, key), f"unused key {key}", at_key=True))

    def are_fatal(self) -> bool:
        """Whether there is an error."""
        return any(each.kind == "error" for each in self.found)


@dataclass(frozen=True, slots=True)
class Place:
    """What a check needs besides the record: its path, the version, and where findings go."""

    path: Path
    version: Version
    findings: Findings

    @property
    def minor(self) -> int:
        """The minor version of Butane."""
        return self.version.minor

    @property
    def spec(self) -> int:
        """The minor version of Ignition."""
        return self.version.ignition_minor

    def below(self, *path: str | int) -> "Place":
        """Give a place below this one."""
        return replace(self, path=(*self.path, *path))

    def error(self, *below: str | int, message: str) -> None:
        """Report an error at a path below the place; an empty message is none."""
        if message:
            self.findings.error((*self.path, *below), message)

    def warn(self, *below: str | int, message: str) -> None:
        """Report a warning at a path below the place; an empty message is none."""
        if message:
            self.findings.warn((*self.path, *below), message)


Check: TypeAlias = Callable[[Record, Place], None]


def run_checks(
    config: Record, checks: Mapping[Struct, Check], version: Version, findings: Findings
) -> None:
    """Run the check of every record, outside first."""
    for record, path in walk_records(config, ()):
        if check := checks.get(record.struct):
            check(record, Place(path, version, findings))
