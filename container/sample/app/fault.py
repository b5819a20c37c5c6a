"""Switches that make a worker misbehave, for tests and for people who want to see it recover.

At the start from FAULT (`jobs:slow-start=5,web:crash=3`: three seconds later), while it runs from
a file that `python3 -m container.sample.app.fault WORKER FAULT` leaves, such as `jobs hang`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FAULTS = ("hang", "crash", "leak", "refuse-term", "slow-start")
_WORKERS = ("web", "jobs")
_WORDS = 2
_LEAK_STEP = 8 << 20
_LEAK_MOST = 512 << 20


class Faults:
    """The faults of one worker; `refuses`: ignore SIGTERM."""

    def __init__(self, worker: str, environment: Mapping[str, str]) -> None:
        self.refuses = False
        self._file = flag_file(worker, environment)
        self._leaks = False
        self._kept: list[bytearray] = []
        for word in filter(None, environment.get("FAULT", "").split(",")):
            name, _, fault = word.partition(":")
            if name == worker:
                self._commit(fault)

    def tick(self) -> None:
        """Act on a switch that was thrown since the last call."""
        with suppress(FileNotFoundError):
            fault = self._file.read_text(encoding="utf-8").strip()
            self._file.unlink()
            self._commit(fault)
        if self._leaks and len(self._kept) * _LEAK_STEP < _LEAK_MOST:
            self._kept.append(bytearray(os.urandom(_LEAK_STEP)))

    def _commit(self, fault: str) -> None:
        name, _, value = fault.partition("=")
        self._leaks |= name == "leak"
        self.refuses |= name == "refuse-term"
        sys.stdout.write(f"fault: {fault}\n")
        sys.stdout.flush()
        if name == "hang":
            while True:
                time.sleep(3600)
        if name == "crash" and value:
            threading.Timer(float(value), os._exit, (3,)).start()
        elif name == "crash":
            os._exit(3)
        if name == "slow-start":
            time.sleep(float(value or 5))


def flag_file(worker: str, environment: Mapping[str, str]) -> Path:
    """Name the file that throws a worker's switch; it lies in memory."""
    folder = environment.get("FAULT_DIR") or environment.get("TLS_RUN_DIR") or "/run/tls"
    return Path(folder, f"fault-{worker}")


def main(arguments: list[str]) -> int:
    """Write the switch, which the worker reads within a second; EX_USAGE for an unknown one."""
    fault = arguments[1].partition("=")[0] if len(arguments) == _WORDS else ""
    if fault not in FAULTS or arguments[0] not in _WORKERS:
        sys.stderr.write(f"usage: fault {'|'.join(_WORKERS)} {'|'.join(FAULTS)}[=SECONDS]\n")
        return os.EX_USAGE
    path = flag_file(arguments[0], os.environ)
    draft = path.with_suffix(".new")
    draft.write_text(arguments[1], encoding="utf-8")
    draft.replace(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
