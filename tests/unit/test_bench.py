"""A bench that is ended leaves nothing running, and its meter outlives what it looks at."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.ending import descendants
from bench.meter import processes

SCRIPT = """
import subprocess
from bench.ending import ending_whole
with ending_whole():
    try:
        child = subprocess.Popen(["sleep", "1000"])
        print(child.pid, flush=True)
        child.wait()
    finally:
        print("cleaned up", flush=True)
"""


@pytest.mark.program
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_bench_that_is_ended_cleans_up_and_ends_its_children(number: int) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=root, stdout=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stdout
        child = int(bench.stdout.readline())
        assert str(child) in descendants(os.getpid())
        bench.send_signal(number)
        said = bench.stdout.read()

    assert said == "cleaned up\n"
    assert bench.returncode == 128 + number
    assert ends(child)


def ends(process: int) -> bool:
    """Wait until a process has ended; one that is not yet collected has."""
    stat = Path(f"/proc/{process}/stat")
    for _ in range(500):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_control_group_that_goes_away_is_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text(f"{name}\n")
    (tmp_path / "cgroup.procs").write_text("1\n")

    found = processes(tmp_path)
    first = next(found)
    shutil.rmtree(tmp_path / "a")

    assert [first, *found] == ["1", "b"]
