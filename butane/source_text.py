"""Read the text of a Butane or Ignition file."""

import codecs
import sys
from contextlib import nullcontext
from pathlib import Path

from butane.errors import ButaneError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LIMIT = 256 * 1024 * 1024


def read_source(path: str | None) -> str:
    """Read a file, or standard input without a path; raise `ButaneError` when it is not text."""
    try:
        with nullcontext(sys.stdin.buffer) if path is None else Path(path).open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise ButaneError(f"failed to open {path}: {error.strerror}") from error
    if len(data) > _LIMIT:
        raise ButaneError(f"{path or '<stdin>'} is larger than {_LIMIT} bytes")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = f"{path or '<stdin>'}, line {line}"
        raise ButaneError(
            f"Error translating config: {where}: not text in UTF-8", "save the file as UTF-8"
        ) from error
