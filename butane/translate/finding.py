"""Collect errors and warnings by path while a file is translated."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from butane.translate.record import Path

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
