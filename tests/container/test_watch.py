"""When a worker is hung, and when systemd's watchdog is fed: decided by times that are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from container.supervise.core.systemd import Systemd
from container.supervise.core.watch import Watch
from tests.container.listening import Listener
from tests.container.test_policy import policy


@pytest.fixture
def watch() -> Iterator[Watch]:
    found = Watch(policy(interval=10, missed=3), {})
    assert found.heartbeat is not None
    found.heartbeat.handed_over()
    found.begin(0.0)
    found.beat(1.0)
    yield found
    found.close()


def test_a_worker_is_hung_after_three_intervals_without_a_heartbeat(watch: Watch) -> None:
    assert watch.due() == 31.0
    assert watch.judge(30.9, os.getpid()) == ""
    assert watch.judge(31.0, os.getpid()) == "hung: no heartbeat for 30.0 s"


def test_a_heartbeat_in_time_puts_that_off(watch: Watch) -> None:
    watch.beat(30.0)

    assert watch.judge(31.0, os.getpid()) == ""
    assert watch.due() == 60.0


def test_time_in_which_the_supervisor_did_not_run_is_credited(watch: Watch) -> None:
    watch.shift(100.0)

    assert watch.judge(130.9, os.getpid()) == ""
    assert watch.judge(131.0, os.getpid())


@pytest.mark.loopback
def test_the_watchdog_is_fed_at_a_third_of_its_limit_while_all_is_well(memory: Path) -> None:
    with closing(Listener(str(memory / "notify"))) as listener:
        systemd = Systemd(listener.address, watchdog=30.0)
        systemd.now_ready(0.0)
        for now in (0.0, 9.9, 10.0, 15.0, 20.0):
            systemd.tick(now, healthy=True, extend=0.0)
        systemd.tick(30.0, healthy=False, extend=0.0)
        systemd.status(31.0, "end")

        listener.until("STATUS=end")
        assert listener.heard == ["READY=1", *["WATCHDOG=1"] * 3, "STATUS=end"]
