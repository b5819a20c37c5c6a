"""The place of a check in a config, and running checks over a whole config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from butane.translate.finding import Findings
from butane.translate.record import Path, Record, Struct, walk_records
from butane.translate.versions import Version


@dataclass(frozen=True, slots=True)
class Place:
    """A path, the version that is checked by, and where the findings go."""

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
