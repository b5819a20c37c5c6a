"""Unified diffs of small text files, bounded in length."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

# A larger file is shown by its hash alone.
LARGEST_BYTES = 64 * 1024
_LONGEST_LINES = 200


@dataclass(frozen=True, slots=True)
class Texts:
    """Contents of changed files: here, and on the node."""

    here: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    there: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def difference(self, path: str) -> str:
        """Write a unified diff; empty where a side is unknown or not text."""
        if path not in self.here or path not in self.there:
            return ""
        return unified(path, self.there[path], self.here[path])


def unified(path: str, before: bytes, after: bytes) -> str:
    """Write a unified diff of two texts; empty where one is not text."""
    old, new = _text(before), _text(after)
    if old is None or new is None:
        return ""
    lines = list(
        difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"node:{path}", f"here:{path}", lineterm=""
        )
    )
    if len(lines) > _LONGEST_LINES:
        left_off = len(lines) - _LONGEST_LINES
        lines = [*lines[:_LONGEST_LINES], f"… {left_off} more lines of difference"]
    return "\n".join(lines)


def _text(content: bytes) -> str | None:
    if b"\0" in content or len(content) > LARGEST_BYTES:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
