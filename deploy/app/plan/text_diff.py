"""The difference between two texts, for people, and bounded."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

# A file beyond this is compared by its hash: nobody reads such a diff.
LARGEST_BYTES = 64 * 1024
_LONGEST_LINES = 200


@dataclass(frozen=True, slots=True)
class Texts:
    """Contents of files that are to change: as they are wanted here, as the node holds them."""

    here: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    there: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def difference(self, path: str) -> str:
        """Write a unified diff; nothing where either side is unknown or is no text."""
        if path not in self.here or path not in self.there:
            return ""
        return unified(path, self.there[path], self.here[path])


def unified(path: str, before: bytes, after: bytes) -> str:
    """Write a unified diff of two texts; nothing where one is no text."""
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
