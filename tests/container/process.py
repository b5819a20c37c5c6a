"""A program under test: started, read line by line against a deadline, ended by its own id."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.root import ROOT


class Program:
    """One process with its output; standard error is read together with standard output."""

    def __init__(
        self, *argv: str, env: Mapping[str, str] | None = None, pass_fds: tuple[int, ...] = ()
    ) -> None:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(
            argv,
            env={**environment, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.output = ""

    def until(self, text: str, seconds: float = 30.0, *, after: int = 0) -> str:
        """Read until this text appears after position `after`; give back all output so far."""
        deadline = time.monotonic() + seconds
        while text not in self.output[after:]:
            assert self.take(deadline - time.monotonic()), f"no {text!r} in:\n{self.output}"
        return self.output

    def ended(self, seconds: float = 30.0) -> int:
        """Read until the program has ended; give back its exit code, minus the signal's number."""
        deadline = time.monotonic() + seconds
        while self.take(deadline - time.monotonic()):
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        os.kill(self.pid, number)

    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it and what it started, whatever state they are in."""
        if self.alive():
            self._process.kill()
        self._process.wait()
        for pid in session(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def take(self, seconds: float) -> bool:
        """Take what there is to read, within this time; False when there was nothing."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, seconds)):
                return False
        found = os.read(self._process.stdout.fileno(), 65536)
        self.output += found.decode(errors="replace")
        return bool(found)


def session(leader: int) -> Iterator[int]:
    """Find the processes of a session, which outlive its leader."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # What follows the program's name in parentheses: state, parent, group, session.
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                yield int(stat.parent.name)


def python(*arguments: str) -> tuple[str, ...]:
    """Make the argv that runs a module or file with this Python."""
    return (sys.executable, *arguments)
