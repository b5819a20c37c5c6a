from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.container.listening import Listener
from tests.unit.container.supervision import Supervision

pytestmark = pytest.mark.program


@pytest.fixture
def listener(memory: Path) -> Iterator[Listener]:
    found = Listener(str(memory / "notify"))
    yield found
    found.close()


def systemd(listener: Listener, watchdog: float = 0.0) -> dict[str, str]:
    usec = {"WATCHDOG_USEC": str(int(watchdog * 1e6))} if watchdog else {}
    return {"NOTIFY_SOCKET": listener.address, **usec}


def test_ready_is_told_once_every_worker_is(supervision: Supervision, listener: Listener) -> None:
    supervision.begin(
        {"a": "beats", "b": "slow"},
        mode="--sd-notify",
        env={**systemd(listener), "SLOW": "1"},
    )

    listener.until("READY=1")

    assert supervision.status()["state"] == "healthy"
    assert any(one.startswith("STATUS=") and "starting" in one for one in listener.heard)
    assert any(one.startswith("EXTEND_TIMEOUT_USEC=") for one in listener.heard)
    listener.until("STATUS=2 of 2 workers healthy")


def test_restarts_are_told_with_the_workers(supervision: Supervision, listener: Listener) -> None:
    supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener))
    listener.until("STATUS=1 of 1 workers healthy")

    os.kill(supervision.worker("a")["pid"], signal.SIGKILL)

    listener.until("STATUS=1 of 1 workers healthy, restarts: 1")


def test_abstract_addresses_are_understood(supervision: Supervision) -> None:
    listener = Listener(f"@corefab-test-{os.getpid()}")

    supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener))

    listener.until("READY=1")
    listener.close()


def test_stopping_and_reloading_are_told(supervision: Supervision, listener: Listener) -> None:
    program = supervision.begin({"a": "hup"}, mode="--sd-notify", env=systemd(listener))
    listener.until("READY=1")

    began = time.monotonic()
    program.signal(signal.SIGHUP)
    reloading = listener.heard[listener.until("RELOADING=1")]
    listener.until("READY=1")
    program.signal(signal.SIGTERM)
    listener.until("STOPPING=1")

    name, usec = reloading.split("\n")[1].split("=")
    assert name == "MONOTONIC_USEC"
    assert began <= int(usec) / 1e6 <= time.monotonic()
    assert program.ended() == 0


def test_without_an_interval_the_watchdog_is_not_mentioned(
    supervision: Supervision, listener: Listener
) -> None:
    supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener))
    listener.until("READY=1")
    supervision.until(lambda: supervision.worker("a")["uptime"] > 1.0)

    listener.during(0.1)
    assert not any("WATCHDOG" in one for one in listener.heard)


def test_the_watchdog_is_fed_again_and_again_while_all_is_well(
    supervision: Supervision, listener: Listener
) -> None:
    supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener, 0.6))
    for _ in range(5):
        listener.until("WATCHDOG=1")

    assert supervision.status()["state"] == "healthy"


def test_the_watchdog_starves_while_a_worker_is_not_well(
    supervision: Supervision, listener: Listener
) -> None:
    supervision.begin(
        {"good": "beats", "bad": "beats"},
        mode="--sd-notify",
        env=systemd(listener, 0.3),
        grace="2",
    )
    listener.until("STATUS=2 of 2")

    os.kill(supervision.worker("bad")["pid"], signal.SIGSTOP)
    # Heard all the while: a full socket would have a status take the place of the one before it.
    # SIGCONT lets the worker die at once: the next state is the one after its restart.
    listener.until("STATUS=bad is")
    place = len(listener.heard)
    listener.until("STATUS=2 of 2")

    assert "WATCHDOG=1" not in listener.heard[place:]
    listener.until("WATCHDOG=1")


def test_a_hung_supervisor_feeds_no_watchdog(supervision: Supervision, listener: Listener) -> None:
    program = supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener, 0.3))
    listener.until("WATCHDOG=1")

    program.signal(signal.SIGSTOP)
    listener.during(0.2)

    assert listener.during(1.0) == []


def test_a_watchdog_that_is_too_short_is_warned_of(
    supervision: Supervision, listener: Listener
) -> None:
    program = supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener, 5))

    program.until("WatchdogSec=5 is shorter than the 26.85 s that restarting a may take")


def test_a_notify_socket_that_appears_late_still_hears_ready(
    supervision: Supervision, memory: Path
) -> None:
    address = str(memory / "late")
    program = supervision.begin({"a": "beats"}, mode="--sd-notify", env={"NOTIFY_SOCKET": address})
    program.until("ready:")

    listener = Listener(address)

    listener.until("READY=1")
    listener.close()


def test_a_full_notify_socket_stops_nothing(supervision: Supervision, listener: Listener) -> None:
    listener.fill()
    program = supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener, 2))
    program.until("ready:")

    assert supervision.status()["state"] == "healthy"
    listener.until("READY=1")
    listener.until("WATCHDOG=1")


def test_a_notify_socket_that_goes_away_stops_nothing(
    supervision: Supervision, listener: Listener
) -> None:
    program = supervision.begin({"a": "beats"}, mode="--sd-notify", env=systemd(listener, 0.3))
    listener.until("READY=1")

    Path(listener.address).unlink()
    listener.close()
    supervision.until(lambda: supervision.worker("a")["uptime"] > 1.0)

    assert supervision.status()["state"] == "healthy"
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
