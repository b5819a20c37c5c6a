"""What a check finds while a file is translated, by path; reports are made of it at the end."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from butane.translate.record import Path

Kind: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark; `at_key` points at the key instead of its value."""

    kind: Kind
    path: Path
    message: str
    at_key: bool = False


@dataclass(slots=True)
class Findings:
    """A growing list of remarks."""

    found: list[Finding] = field(default_factory=list)

    def error(self, path: Path, message: str) -> None:
        """Add what forbids a result."""
        self.found.append(Finding("error", path, message))

    def warn(self, path: Path, message: str) -> None:
        """Add what deserves a second look."""
        self.found.append(Finding("warning", path, message))

    def unused(self, path: Path, key: str) -> None:
        """Add a key that the version does not know."""
        self.found.append(Finding("warning", (*path, key), f"unused key {key}", at_key=True))

    def are_fatal(self) -> bool:
        """Tell whether an error is among them."""
        return any(each.kind == "error" for each in self.found)
