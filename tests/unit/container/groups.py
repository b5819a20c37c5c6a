"""Control groups with limits that the kernel itself holds processes to, of either version."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """Make a group that may use so many bytes; remove it with the processes left in it."""
    with _group("memory") as group:
        first = group / "memory.limit_in_bytes"
        (first if first.exists() else group / "memory.max").write_text(str(limit))
        for swap, none in (("memory.memsw.limit_in_bytes", limit), ("memory.swap.max", 0)):
            with suppress(OSError):
                (group / swap).write_text(str(none))
        yield group


@contextmanager
def process_group(pid: int) -> Iterator[Callable[[str], object]]:
    """Move a process to a group of its own; the block gets a function to limit its children."""
    with _group("pids") as group:
        home = _home_of(pid, group)
        (group / "cgroup.procs").write_text(str(pid))
        try:
            yield (group / "pids.max").write_text
        finally:
            for moved in (group / "cgroup.procs").read_text().split():
                with suppress(OSError):
                    home.write_text(moved)


def killed_in(group: Path) -> int:
    """Tell how many processes the kernel killed there for want of memory."""
    first = group / "memory.oom_control"
    text = (first if first.exists() else group / "memory.events").read_text()
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextmanager
def _group(controller: str) -> Iterator[Path]:
    group = _parent(controller) / f"corefab-test-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        _remove(group)


def _parent(controller: str) -> Path:
    first = _ROOT / controller
    if os.geteuid() == 0 and os.access(first / "cgroup.procs", os.W_OK):
        return first
    with suppress(OSError):
        (_ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
        return _ROOT
    if os.environ.get("CI") == "true":
        pytest.fail(f"no cgroup with the controller {controller} can be made here")
    pytest.skip(f"no cgroup with the controller {controller} can be made here")


def _home_of(pid: int, group: Path) -> Path:
    """Name the file that moves a process back to where it was."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == group.parent.name or not controllers:
            return group.parent / path.strip("/") / "cgroup.procs"
    return group.parent / "cgroup.procs"


def _remove(group: Path) -> None:
    for pid in (group / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)
    deadline = time.monotonic() + 30
    while True:
        try:
            group.rmdir()
        except OSError:
            assert time.monotonic() < deadline, f"{group} is still in use"
            time.sleep(0.02)
        else:
            return
