"""Looking for secrets where none may be: in processes while they run, and in files afterwards."""

import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PAUSE_SECONDS = 0.02


@dataclass
class Sampled:
    """Which processes showed a secret, and how many looks were taken."""

    found: set[str] = field(default_factory=set)
    looks: int = 0


@contextmanager
def sampled(secrets: Iterable[str]) -> Iterator[Sampled]:
    """Read every process's arguments and environment, the node's as well, while the block lasts."""
    marks = [secret.encode() for secret in secrets]
    stop, seen = threading.Event(), Sampled()
    watcher = threading.Thread(target=_watch, args=(marks, stop, seen))
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def _watch(marks: list[bytes], stop: threading.Event, seen: Sampled) -> None:
    known: dict[Path, bytes] = {}
    while not stop.wait(PAUSE_SECONDS):
        seen.looks += 1
        now: dict[Path, bytes] = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                now[process] = (process / "cmdline").read_bytes()
                # An environment comes with the arguments: while these are the same, so is it.
                if known.get(process) == now[process]:
                    continue
                shown = {"cmdline": now[process], "environ": (process / "environ").read_bytes()}
            except OSError:  # it ended, or never had one
                continue
            for name, content in shown.items():
                if any(mark in content for mark in marks):
                    words = content.replace(b"\0", b" ")[:200].decode(errors="replace")
                    seen.found.add(f"{name}: {words}")
        known = now


def files_with(secrets: Iterable[str], *folders: Path, scratch: Path) -> list[str]:
    """List files below folders that hold a secret anywhere in them, whatever else they are."""
    patterns = scratch / "patterns"
    patterns.write_text("".join(f"{secret}\n" for secret in secrets))
    there = [str(folder) for folder in folders if folder.exists()]
    done = subprocess.run(
        ["grep", "-rlazF", "--devices=skip", "-f", patterns, *there],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()
