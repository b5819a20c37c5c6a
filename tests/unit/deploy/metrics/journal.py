"""A journal made by systemd's own program, which is fetched and not installed."""

import os
import re
import struct
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.debian import fetched

BOOT = "3c5f0b9c8c9b4b0f9a1d6a7d0f3e2b11"
Line = str | bytes | Mapping[str, str | bytes]


@dataclass
class Journal:
    """A folder of journal files; `write` appends to the newest."""

    folder: Path
    writer: Path
    written: int = 0
    name: str = "first"
    began: int = field(default_factory=lambda: int(time.time() * 1_000_000))

    def write(self, *lines: Line) -> None:
        """Append entries: text, bytes, or fields with their values."""
        self.folder.mkdir(exist_ok=True)
        subprocess.run(
            [self.writer, f"--output={self.folder / self.name}.journal", "-"],
            input=b"".join(map(self._exported, lines)),
            env={"LD_LIBRARY_PATH": ":".join(map(str, _libraries(self.writer)))},
            check=True,
            capture_output=True,
        )

    def rotate(self) -> None:
        """Write to another file from now on."""
        self.name = f"after-{self.name}"

    def forget(self) -> None:
        """Remove all files but the newest."""
        for file in self.folder.glob("*.journal"):
            if file.stem != self.name:
                file.unlink()

    def _exported(self, line: Line) -> bytes:
        self.written += 1
        fields = line if isinstance(line, Mapping) else {"MESSAGE": line}
        fixed = {
            "__REALTIME_TIMESTAMP": str(self.began + self.written),
            "__MONOTONIC_TIMESTAMP": str(self.written),
            "_BOOT_ID": BOOT,
        }
        return b"".join(_field(name, value) for name, value in (fixed | {**fields}).items()) + b"\n"


def _field(name: str, value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    if name.startswith("__") or name == "_BOOT_ID":
        return name.encode() + b"=" + content + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"


def journal_writer() -> Path:
    """Fetch the program from Debian's package."""
    words = ["apt-cache", "search", "--names-only", "^libmicrohttpd12"]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    library = re.findall(r"^libmicrohttpd12\S*", found, re.MULTILINE)
    documents = "usr/share/doc/systemd-journal-remote"
    tree = fetched("journal-remote", ("systemd-journal-remote", *library), documents)
    (program,) = tree.glob("**/systemd/systemd-journal-remote")
    return program


def _libraries(program: Path) -> Iterable[Path]:
    tree = next(folder for folder in program.parents if folder.name == "tree")
    return {file.parent for file in tree.rglob("libmicrohttpd.so*")}


def cursors(folder: Path) -> list[str]:
    """List the cursors of a journal's entries."""
    words = ["journalctl", "-q", "--no-pager", "-o", "export", f"--directory={folder}"]
    said = subprocess.run(words, check=True, capture_output=True, env=os.environ).stdout
    return re.findall(r"^__CURSOR=(.*)$", said.decode(errors="replace"), re.MULTILINE)
