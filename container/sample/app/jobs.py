"""The sample's second worker: it does a little work every few seconds and counts it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from container.heartbeat import Heartbeat
from container.sample.app.fault import Faults

_PAUSE_SECONDS = 0.5


class Jobs:
    """Count jobs in a file of the data folder, if that can be written."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._heart = Heartbeat(environment)
        self._count = Path(environment.get("DATA_DIR", "/data"), "jobs-done")
        self._stop = threading.Event()
        self._faults = Faults("jobs", environment)

    def run(self) -> int:
        """Work until SIGTERM."""
        signal.signal(signal.SIGTERM, self._heed)
        signal.signal(signal.SIGINT, self._heed)
        writable = os.access(self._count.parent, os.W_OK)
        _say("jobs are done" if writable else f"jobs are not counted: {self._count.parent}")
        done = self._done_before() if writable else 0
        self._heart.beat()
        while not self._stop.wait(min(_PAUSE_SECONDS, self._heart.interval / 3)):
            done += 1
            if writable:
                self._keep(done)
            self._heart.beat()
            self._faults.tick()
        return 0

    def _heed(self, *_: object) -> None:
        if self._faults.refuses:
            _say("SIGTERM refused")
        else:
            self._stop.set()

    def _done_before(self) -> int:
        text = self._count.read_text(encoding="ascii") if self._count.exists() else "0"
        return int(text) if text.strip().isdigit() else 0

    def _keep(self, done: int) -> None:
        draft = self._count.with_suffix(".new")
        draft.write_text(f"{done}\n", encoding="ascii")
        # The other slot counts in the same folder, and may have renamed the draft first.
        with suppress(FileNotFoundError):
            draft.replace(self._count)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(Jobs(os.environ).run())
