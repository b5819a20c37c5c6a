"""A supervisor under test, started as its own program with quick policies."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.root import ROOT
from tests.unit.container.process import Program, python

WORKER = Path(__file__).with_name("worker.py")
QUICK = {"interval": "0.2", "grace": "0.4", "start": "5", "backoff_first": "0.05"}


class Supervision:
    """One supervisor; `workers` are pairs of a name and a fault of worker.py, or a command."""

    def __init__(self, start: Callable[..., Program], folder: Path) -> None:
        self._start = start
        self._socket = folder / "status.sock"

    def begin(
        self,
        workers: Mapping[str, str],
        *options: str,
        env: Mapping[str, str] | None = None,
        mode: str = "--watchdog",
        **policy: str,
    ) -> Program:
        given = [f"--set={key}={value}" for key, value in {**QUICK, **policy}.items()]
        for name, fault in workers.items():
            command = fault if " " in fault else " ".join(python(str(WORKER), name, fault))
            given += ["--worker", name, command]
        argv = python("-m", "container.supervise", mode, "--socket", str(self._socket))
        return self._start(*argv, *given, *options, env=env)

    def status(self) -> dict[str, Any]:
        """Ask as `supervise status --json` does, once the socket is there."""
        deadline = time.monotonic() + 60
        while True:
            done = self.ask("status", "--json")
            if done.stdout or time.monotonic() > deadline:
                found: dict[str, Any] = json.loads(done.stdout)
                return found

    def worker(self, name: str) -> dict[str, Any]:
        """Give one worker's part of the status."""
        found: dict[str, Any] = next(one for one in self.status()["workers"] if one["name"] == name)
        return found

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a question in a process of its own."""
        argv = python("-m", "container.supervise", *words, "--socket", str(self._socket))
        return subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Ask again until this holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come to hold"
            time.sleep(0.02)


def said(output: str, name: str, what: str) -> list[float]:
    """Find the times at which a worker said this."""
    lines = re.findall(rf"^{name} {what}\S* \d+ ([\d.]+)$", output, re.MULTILINE)
    return [float(at) for at in lines]


def wake_ups(pid: int) -> int:
    """Tell how often a process has slept and woken: no busy machine makes it more."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^voluntary_ctxt_switches:\t(\d+)$", status, re.MULTILINE)[0])


def zombies_of(pid: int) -> list[int]:
    """Find the ended children that a process has not collected."""
    found = []
    for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        stat = Path(f"/proc/{word}/stat")
        if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            found.append(int(word))
    return found
