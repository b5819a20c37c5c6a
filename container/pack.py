"""Pack the supervisor into one file that any image with Python can copy in: `make container`."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parent
_PARTS = ("__init__.py", "errors.py", "heartbeat.py", "notify.py", "entrypoint", "supervise")
_SHEBANG = b"#!/usr/bin/env python3\n"
_START = (
    "import sys\n\nfrom container.supervise.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
)
_DATE = (2025, 1, 1, 0, 0, 0)  # the same source gives the same bytes


def pack(target: Path) -> Path:
    """Write the zipapp, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(_SHEBANG)
        # Not compressed: reading it needs no zlib, and it is small.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("__main__.py", _DATE), _START)
            for path in sources(_PARTS):
                name = str(Path("container", path.relative_to(_PACKAGE)))
                archive.writestr(zipfile.ZipInfo(name, _DATE), path.read_bytes())
    draft.chmod(0o755)
    return draft.replace(target)


def sources(parts: Iterable[str]) -> Iterator[Path]:
    """Yield the modules of parts of this package, each a file or a folder."""
    for part in parts:
        path = _PACKAGE / part
        yield from sorted(path.rglob("*.py")) if path.is_dir() else (path,)


if __name__ == "__main__":
    sys.stdout.write(f"{pack(Path(sys.argv[1]))}\n")
