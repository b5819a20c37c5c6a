from __future__ import annotations

import os
import re
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.container.clock import jumping, last_time_of_day, times_of_day
from tests.container.groups import killed_in, memory_group, process_group
from tests.container.process import Program, python
from tests.container.supervision import (
    WORKER,
    Supervision,
    said,
    wake_ups,
    zombies_of,
)
from tests.root import ROOT

pytestmark = pytest.mark.program


@pytest.mark.parametrize("fault", ["hang", "hang_thread"])
def test_a_hang_is_found_and_it_serves_again(supervision: Supervision, fault: str) -> None:
    program = supervision.begin({"good": "beats", "bad": fault}, interval="0.5")
    program.until("bad: hung: no heartbeat for")
    position = len(program.output)
    program.until("bad: healthy", after=position)

    hangs, ends = said(program.output, "bad", "hangs"), said(program.output, "bad", "term")
    ups = said(program.output, "bad", "up")

    assert hangs[0] < ends[0] < ups[1]
    assert program.output.count("good up") == 1


def test_a_hang_that_heeds_no_signal_is_killed_after_its_grace(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "deaf"})
    program.until("bad: hung")
    program.until("did not heed SIGTERM; SIGKILL")
    position = len(program.output)

    program.until("bad: healthy", after=position)

    assert said(program.output, "bad", "term") == []


def test_a_worker_that_left_its_group_is_killed_all_the_same(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "leave_group"})
    program.until("ready:")

    program.signal(signal.SIGTERM)

    assert program.ended() == os.EX_SOFTWARE
    assert "bad refuses" in program.output


def test_a_flooded_pipe_costs_next_to_nothing(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "flood"}, interval="2")
    program.until("ready:")
    before, began = wake_ups(program.pid), supervision.worker("bad")["uptime"]

    supervision.until(lambda: supervision.worker("bad")["uptime"] > began + 2.0)

    # Each question of the status wakes it a few times; the flood alone would, 1,000 times a second.
    lasted = supervision.worker("bad")["uptime"] - began
    assert (wake_ups(program.pid) - before) / lasted < 200
    assert supervision.worker("bad")["state"] == "healthy"
    assert "hung" not in program.output


def test_a_closed_pipe_is_no_busy_loop_and_counts_as_silence(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "close"}, interval="0.5")
    program.until("bad closed")
    before = wake_ups(program.pid)

    program.until("bad: hung")

    assert wake_ups(program.pid) - before < 50


def test_what_a_dead_worker_leaves_behind_goes_with_it(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "grandchild"}, crash_deaths="0")
    program.until("ended with exit code 3")

    left = int(re.findall(r"grandchild=(\d+)", program.output)[0])

    supervision.until(lambda: not Path(f"/proc/{left}").exists())
    assert zombies_of(program.pid) == []


def test_a_daemon_that_left_its_group_ends_with_the_supervisor(supervision: Supervision) -> None:
    command = "sh -c 'setsid sleep 1000 & echo daemon=$!; exec sleep 99'"
    program = supervision.begin({"a": command}, probe="none")
    program.until("ready:")
    # setsid(1) forks when it leads its group: the daemon is found by its parent's death
    os.kill(supervision.worker("a")["pid"], signal.SIGKILL)
    program.until("starting again in")
    strays = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()

    program.signal(signal.SIGTERM)

    program.ended()
    assert strays
    assert not any(Path(f"/proc/{pid}").exists() for pid in strays)


def test_a_reader_that_stopped_reading_does_not_stop_the_supervisor(
    supervision: Supervision,
) -> None:
    program = supervision.begin({"good": "beats", "bad": "fill"})

    # Nothing reads the output here: the pipe fills, and whoever writes to it waits.
    supervision.until(lambda: supervision.worker("bad")["restarts"] >= 1, 20)

    assert supervision.worker("good")["restarts"] == 0
    assert "hung" in supervision.worker("bad")["reasons"][0]
    assert program.alive()


def test_thousands_of_orphans_are_reaped_without_missing_a_beat(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "storm", "good": "beats"}, interval="1")
    program.until("ready:")

    supervision.until(lambda: orphans(program) >= 2000, 60)

    assert supervision.status()["state"] == "healthy"
    assert supervision.worker("good")["restarts"] == 0
    supervision.until(lambda: len(zombies_of(program.pid)) < 50)
    program.signal(signal.SIGTERM)
    assert program.ended() == 0


def test_a_stopped_worker_is_hung(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats"})
    program.until("ready:")
    first = supervision.worker("a")["pid"]

    os.kill(first, signal.SIGSTOP)

    program.until("a: hung")
    supervision.until(lambda: supervision.worker("a")["pid"] not in {0, first})
    assert not Path(f"/proc/{first}").exists()


def test_a_worker_that_goes_on_in_time_is_left_alone(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats"}, interval="5")
    program.until("ready:")
    pid = supervision.worker("a")["pid"]

    os.kill(pid, signal.SIGSTOP)
    supervision.until(lambda: supervision.worker("a")["last_sign"] > 1.0)
    os.kill(pid, signal.SIGCONT)

    supervision.until(lambda: supervision.worker("a")["last_sign"] < 1.0)
    assert supervision.worker("a")["pid"] == pid


def test_a_pause_of_everything_is_counted_against_no_worker(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats", "b": "beats"}, interval="0.4")
    program.until("ready:")
    pids = [one["pid"] for one in supervision.status()["workers"]]

    pause(program.pid, *pids)

    program.until("did not run for")
    uptime = supervision.worker("a")["uptime"]
    supervision.until(lambda: supervision.worker("a")["uptime"] > uptime + 3 * 0.4)
    assert [one["pid"] for one in supervision.status()["workers"]] == pids


def test_a_stopped_supervisor_takes_up_its_work_again(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats"}, interval="0.4")
    program.until("ready:")
    pid = supervision.worker("a")["pid"]

    pause(program.pid)
    program.until("did not run for")
    os.kill(pid, signal.SIGSTOP)

    program.until("a: hung")


def test_no_time_of_day_is_used_so_clock_jumps_do_nothing() -> None:
    core = ROOT / "container" / "supervise" / "core"

    used = {
        match
        for path in core.glob("*.py")
        for match in re.findall(r"\btime\.\w+|\bdatetime\b", path.read_text())
    }

    assert used == {"time.monotonic"}


@pytest.mark.parametrize("jump", ["+400d", "-400d"])
def test_a_jump_of_the_clock_is_counted_against_no_worker_and_hides_no_hang(
    supervision: Supervision, tmp_path: Path, jump: str
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    program = supervision.begin({"a": "clock"}, interval="0.5", env=jumping(clock))
    program.until("ready:")
    program.until("clock=", after=program.output.index("ready:"))
    pid = supervision.worker("a")["pid"]
    before = times_of_day(program.output)[-1]
    assert "libfaketime" in Path(f"/proc/{program.pid}/maps").read_text()

    clock.write_text(jump)
    supervision.until(lambda: abs(last_time_of_day(program) - before) > 300 * 86400)
    supervision.until(lambda: supervision.worker("a")["uptime"] > 3 * 0.5 * 2)

    assert supervision.worker("a")["pid"] == pid
    assert supervision.status()["state"] == "healthy"
    assert "hung" not in program.output
    assert "did not run" not in program.output
    os.kill(pid, signal.SIGSTOP)
    program.until("a: hung: no heartbeat for")


def test_a_worker_that_leaks_is_restarted_at_its_limit(supervision: Supervision) -> None:
    program = supervision.begin({"bad": "leak"}, memory="60M")

    program.until("MiB of memory; SIGTERM")
    program.until("starting again in")

    grown = re.search(r"uses (\d+) MiB of memory", program.output)
    assert grown is not None
    assert 60 <= int(grown[1]) < 200


def test_a_worker_that_meets_its_resource_limit_is_restarted(
    supervision: Supervision, tmp_path: Path
) -> None:
    config = tmp_path / "workers.toml"
    command = f'["{sys.executable}", "{Path(__file__).with_name("worker.py")}", "bad", "leak"]'
    config.write_text(
        f'[[worker]]\nname = "bad"\ncommand = {command}\nlimits = {{as = "90M", core = 0}}\n'
    )

    program = supervision.begin({}, "--config", str(config), crash_deaths="2", crash_seconds="60")

    program.until("MemoryError")
    program.until("bad: ended with exit code 1")
    program.until("starting again in")
    assert program.ended(20) == os.EX_TEMPFAIL


def test_a_worker_that_the_kernel_kills_for_its_memory_is_restarted_with_the_reason(
    supervision: Supervision,
) -> None:
    # The group's limit is the kernel's own, as that of a container; only the worker is in it.
    with memory_group(64 << 20) as group:
        worker = " ".join(python(str(WORKER), "bad", "leak"))
        command = f"sh -c 'echo $$ >{group}/cgroup.procs && exec {worker}'"

        program = supervision.begin({"good": "beats", "bad": command}, crash_deaths="0")
        program.until("bad: killed by SIGKILL", 30)
        program.until("starting again in")

        supervision.until(lambda: supervision.worker("bad")["restarts"] >= 1)
        assert "killed by SIGKILL" in supervision.worker("bad")["reasons"][0]
        assert supervision.worker("good")["restarts"] == 0
        assert killed_in(group) >= 1
        program.signal(signal.SIGTERM)
        program.ended()


def test_no_process_to_be_had_is_waited_out(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats"}, crash_deaths="0", backoff_max="0.2")
    program.until("ready:")
    with process_group(program.pid) as limit:
        limit("1")  # less than there are: whoever forks now is refused
        os.kill(supervision.worker("a")["pid"], signal.SIGKILL)
        program.until("no new process: Resource temporarily unavailable")

        limit("max")
        program.until("a: healthy", after=program.output.index("no new process"))

    assert program.alive()
    program.signal(signal.SIGTERM)
    assert program.ended() == 0


def test_no_signal_is_lost_however_they_arrive(supervision: Supervision) -> None:
    program = supervision.begin({"a": "hup", "b": "storm"}, "--set=b.reload=no", interval="1")
    program.until("ready:")

    for number in range(1, 51):
        program.signal(signal.SIGHUP)
        supervision.until(partial(_reloaded, program, number))
    program.signal(signal.SIGTERM)

    assert program.ended() == 0


def orphans(program: Program) -> int:
    """Tell how many orphans the storm has left behind so far."""
    program.take(0.05)
    return 100 * program.output.count("bad forked 100 ")


def pause(*pids: int) -> None:
    """Stop processes for longer than three intervals, which is what these tests are about."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def _reloaded(program: Program, times: int) -> bool:
    program.take(0.05)
    return len(said(program.output, "a", "reloads")) >= times
