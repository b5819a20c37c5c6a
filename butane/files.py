"""Decode the files that an Ignition config contains."""

import json
from dataclasses import dataclass, field

from butane.errors import ButaneError
from butane.translate.data_url import carried

_USUAL_MODE = 0o644


@dataclass(frozen=True, slots=True)
class CarriedFile:
    """A file of an Ignition config: path, content, permission bits."""

    path: str
    content: bytes = field(repr=False)
    mode: int


def carried_files(ignition: str) -> tuple[CarriedFile, ...]:
    """Decode the content of every file of an Ignition config.

    Raises:
        ButaneError: for a file that the machine downloads, or that cannot be decoded.
    """
    files = json.loads(ignition).get("storage", {}).get("files", [])
    return tuple(
        CarriedFile(
            file["path"],
            _content(file["path"], file.get("contents", {})),
            file.get("mode", _USUAL_MODE),
        )
        for file in files
    )


def _content(path: str, contents: dict[str, str]) -> bytes:
    source = contents.get("source", "data:,")
    if not source.startswith("data:"):
        raise ButaneError(f"{path} is downloaded from {source}", "use contents.local or inline")
    content = carried(source, contents.get("compression", ""))
    if content is None:
        raise ButaneError(f"{path}: its data URL cannot be decoded", "run `fab prepare` again")
    return content
