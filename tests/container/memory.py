"""A control group with a memory limit that the kernel itself holds processes to."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """Make a group of either version of cgroups; remove it once its processes have ended."""
    group = _group()
    group.mkdir()
    try:
        first = group / "memory.limit_in_bytes"
        (first if first.exists() else group / "memory.max").write_text(str(limit))
        for swap, none in (("memory.memsw.limit_in_bytes", limit), ("memory.swap.max", 0)):
            with suppress(OSError):
                (group / swap).write_text(str(none))
        yield group
    finally:
        _remove(group)


def killed_in(group: Path) -> int:
    """Tell how many processes the kernel killed there for want of memory."""
    first = group / "memory.oom_control"
    text = (first if first.exists() else group / "memory.events").read_text()
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def _group() -> Path:
    name = f"corefab-test-{os.getpid()}"
    if os.geteuid() == 0 and (_ROOT / "memory/memory.limit_in_bytes").exists():
        return _ROOT / "memory" / name
    with suppress(OSError):
        (_ROOT / "cgroup.subtree_control").write_text("+memory")
        return _ROOT / name
    if os.environ.get("CI") == "true":
        pytest.fail("no cgroup with a memory controller can be made here")
    pytest.skip("no cgroup with a memory controller can be made here")


def _remove(group: Path) -> None:
    for pid in (group / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)
    deadline = time.monotonic() + 5
    while True:
        try:
            group.rmdir()
        except OSError:
            assert time.monotonic() < deadline, f"{group} is still in use"
            time.sleep(0.02)
        else:
            return
