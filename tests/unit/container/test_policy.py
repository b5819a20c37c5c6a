from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from container.errors import ContainerError
from container.supervise.command_line import parse
from container.supervise.core.backoff import Backoff
from container.supervise.core.child import describe
from container.supervise.core.settings import Policy
from container.supervise.specification import shortest_watchdog, worker
from container.supervise.status import read_status
from tests.root import ROOT


def policy(**changed: object) -> Policy:
    problems: list[str] = []
    values = worker({"name": "a", "command": ["x"], **changed}, "here", problems)
    assert problems == []
    return Policy(values)


def refusal(*arguments: str) -> str:
    with pytest.raises(ContainerError) as caught:
        parse(arguments)
    assert caught.value.code == os.EX_CONFIG
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker = [1]", "worker is not understood"),
        ("stop = true", "stop = True: seconds"),
        ("stop = inf", "stop = inf: seconds"),
        ("missed = inf", "missed = inf: a whole number"),
        ('command = "a\\u0000b"', "a command line, or a list of words"),
        ('command = [""]', "a command line, or a list of words"),
        ('environment = {"A=B" = "x"}', "names without ="),
        ('environment = {A = "\\u0000"}', "a table of texts"),
        ('limits = {nofile = "9999999999G"}', "at most 9223372036854775807"),
        ("user = 99999999999", "numbers of at most 4294967294"),
    ],
)
def test_odd_toml_is_refused_and_nothing_is_started(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "workers.toml"
    top = text if text.startswith(("worker", "stop")) else ""
    table = "" if text.startswith("worker") else '[[worker]]\nname = "a"\n'
    command = "" if "command" in text or not table else 'command = "true"\n'
    config.write_text(f"{top}\n{table}{command}{'' if top else text}\n")

    assert said in refusal("--watchdog", "--config", str(config))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "workers.toml"
    config.write_bytes(b"\xff")

    assert "workers.toml: 'utf-8' codec" in refusal("--watchdog", "--config", str(config))


def test_options_that_are_not_there_are_refused_as_a_wrong_file_is() -> None:
    assert "unrecognized arguments: --bogus" in refusal("--bogus")


def test_delays_double_up_to_their_limit_with_jitter() -> None:
    backoff = Backoff(policy(crash_deaths=0, backoff_first=1, backoff_max=5))

    delays = [backoff.died(now, 0.1) for now in range(0, 500, 100)]

    for delay, base in zip(delays, (1, 2, 4, 5, 5), strict=True):
        assert delay is not None
        assert 0.75 * base <= delay <= 1.25 * base


def test_jitter_keeps_workers_from_starting_in_step() -> None:
    delays = {Backoff(policy()).died(0.0, 0.1) for _ in range(50)}

    assert len(delays) > 10


def test_three_deaths_within_the_window_are_given_up() -> None:
    backoff = Backoff(policy())

    assert backoff.died(10.0, 1.0) is not None
    assert backoff.died(12.0, 1.0) is not None
    assert backoff.died(14.9, 1.0) is None


def test_deaths_that_are_further_apart_are_not() -> None:
    backoff = Backoff(policy())

    assert all(backoff.died(now, 2.6) is not None for now in (0.0, 2.6, 5.2, 7.8))


def test_after_a_long_life_the_first_delay_counts_again() -> None:
    backoff = Backoff(policy(backoff_first=1, backoff_max=60))
    for now in (0.0, 10.0, 20.0):
        backoff.died(now, 1.0)

    delay = backoff.died(100.0, 80.0)

    assert delay is not None
    assert delay <= 1.25


def test_the_shortest_watchdog_covers_a_whole_restart() -> None:
    assert shortest_watchdog({"grace": 5, "backoff_max": 10, "start": 30}) == 71.25


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "ended with exit code 3"), (-9, "killed by SIGKILL"), (-40, "killed by signal 40")],
)
def test_an_end_is_described(code: int, words: str) -> None:
    assert describe(code) == words


def test_all_problems_of_a_command_line_are_told_at_once() -> None:
    found = refusal(
        "--watchdog", "--worker", "a", "x", "--worker", "a", "y", "--set", "a.grase=1",
        "--set", "b.grace=1", "--set", "interval=0", "--set", "restart=sometimes",
    )  # fmt: skip

    for text in ("grase", "did you mean grace?", "b.grace=1", "at least 0.05",
                 "always, on-failure, never", "'a' is there twice"):  # fmt: skip
        assert text in found


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("probe", "ftp://127.0.0.1:1", "heartbeat, none, http://"),
        ("probe", "http://example.org:80/", "an IP address"),
        ("probe", "tcp://127.0.0.1:65536", "an IP address"),
        ("probe", "tcp://127.0.0.1", "an IP address"),
        ("missed", "1.5", "whole number"),
        ("memory", "lots", "K, M or G"),
        ("user", "nobody-at-all", "user 'nobody-at-all' does not exist"),
        ("command", "'", "No closing quotation"),
        ("name", "a b", "letters"),
        ("listen", "perhaps", "true or false"),
        ("interval", "nan", "at least"),
        ("grace", "inf", "at least"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(key: str, value: str, told: str) -> None:
    assert told in refusal("--watchdog", "--worker", "a", "x", "--set", f"a.{key}={value}")


@pytest.mark.parametrize(
    ("probe", "read"),
    [
        ("tcp://[::1]:80", "tcp://[::1]:80"),
        ("https://localhost:8443/health?a=b", "https://127.0.0.1:8443/health?a=b"),
        ("heartbeat", ""),
        ("none", "none"),
    ],
)
def test_probes_are_read(probe: str, read: str) -> None:
    (found,) = parse(["--watchdog", "--set", f"probe={probe}", "--", "x"]).workers

    assert found["probe"] == read


def test_several_workers_need_a_supervisor() -> None:
    assert "need --sd-notify" in refusal("--worker", "a", "x", "--worker", "b", "y")
    assert "no worker" in refusal("--watchdog")


def test_a_file_gives_each_worker_its_own_policy(tmp_path: Path) -> None:
    config = tmp_path / "workers.toml"
    config.write_text(
        'stop = 6\n[[worker]]\nname = "web"\ncommand = ["a", "b c"]\nmemory = "300M"\n'
        'limits = {nofile = 100}\nenvironment = {X = "1"}\n'
        '[[worker]]\nname = "jobs"\ncommand = "x y"\nprobe = "tcp://127.0.0.1:80"\n'
    )

    wanted = parse(["--sd-notify", "--config", str(config), "--set", "jobs.grace=1"])

    web, jobs = wanted.workers
    assert wanted.stop == 6
    assert (web["command"], web["memory"], web["grace"]) == (("a", "b c"), 300 << 20, 5.0)
    assert (jobs["command"], jobs["probe"], jobs["grace"]) == (
        ("x", "y"),
        "tcp://127.0.0.1:80",
        1.0,
    )


@pytest.mark.parametrize(
    "text", ["[[worker]", "workers = 1", "worker = 1", "[[worker]]\nname = 'a'", "stop = -1"]
)
def test_a_wrong_file_is_told_by_its_name(tmp_path: Path, text: str) -> None:
    config = tmp_path / "workers.toml"
    config.write_text(text)

    with pytest.raises(ContainerError):
        parse(["--watchdog", "--config", str(config)])


def test_without_a_toml_reader_options_are_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))

    with pytest.raises(ContainerError, match=r"Python 3\.9 has no TOML reader.*--worker"):
        parse(["--watchdog", "--config", "workers.toml"])


def test_status_lines_are_read_back() -> None:
    text = (
        "supervisor\tstate=recovering\tuptime=1.5\n"
        "worker\tname=a\tstate=resting\tpid=0\tuptime=0.0\tlast_sign=0.0\tcheck=\tmemory=0"
        "\trestarts=2\nreason\tname=a\ttext=hung: x=y\n"
    )

    state: dict[str, Any] = read_status(text)

    assert (state["state"], state["uptime"]) == ("recovering", 1.5)
    assert state["workers"][0]["restarts"] == 2
    assert state["workers"][0]["reasons"] == ["hung: x=y"]


def test_every_file_is_python_3_9() -> None:
    for path in (ROOT / "container").rglob("*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))


def other_pythons() -> Iterator[str]:
    """Find the Pythons of this machine: which are there differs, what is there must work."""
    for minor in (9, 10, 12, 13, 14):
        other = shutil.which(f"python3.{minor}")
        if other and not subprocess.run([other, "-c", ""], check=False).returncode:
            yield other
    yield sys.executable


@pytest.mark.program
@pytest.mark.parametrize("other", list(other_pythons()))
def test_the_supervisor_runs_on_every_python_here(other: str) -> None:
    done = subprocess.run(
        [other, "-m", "container.supervise", "--watchdog", "--set=restart=on-failure",
         "--set=probe=none", "--", "sh", "-c", "exit 0"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SUPERVISE_SOCKET": ""},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
