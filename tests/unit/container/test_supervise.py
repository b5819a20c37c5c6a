from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.root import ROOT
from tests.unit.container.process import Program, python
from tests.unit.container.supervision import WORKER, Supervision, said

pytestmark = pytest.mark.program


def test_workers_start_in_order_and_stop_in_reverse(supervision: Supervision) -> None:
    program = supervision.begin({"a": "slow", "b": "beats", "c": "beats"}, env={"SLOW": "0.5"})
    program.until("ready: every worker")

    program.signal(signal.SIGTERM)

    assert program.ended() == 0
    output = program.output
    assert output.index("a: healthy") < output.index("b: started")
    assert output.index("b: healthy") < output.index("c: started")
    assert said(output, "c", "term") < said(output, "b", "term") < said(output, "a", "term")


def test_the_bare_command_runs_with_neither_mode(start: Callable[..., Program]) -> None:
    program = start(*python("-m", "container.supervise", "--", "sh", "-c", "echo pid=$$; exit 5"))

    assert program.ended() == 5
    assert f"pid={program.pid}\n" in program.output


def test_a_command_that_is_not_there_is_told_at_once(supervision: Supervision) -> None:
    program = supervision.begin({"a": "/no/such program"})

    assert program.ended() == 127
    assert "a: cannot be executed: /no/such" in program.output
    assert "ready:" not in program.output


def test_a_crash_loop_ends_with_its_own_code_and_says_why(supervision: Supervision) -> None:
    program = supervision.begin({"good": "beats", "bad": "crash"}, crash_seconds="60")

    assert program.ended() == os.EX_TEMPFAIL
    assert "gave up: bad died 3 times within 60 s (last: ended with exit code 3" in program.output
    assert program.output.count("bad up") == 3
    assert len(said(program.output, "good", "term")) == 1


def test_a_worker_may_end_when_its_policy_says_so(supervision: Supervision) -> None:
    program = supervision.begin({"a": "once"}, restart="on-failure")

    assert program.ended() == 0
    assert program.output.count("a up") == 1


def test_a_worker_that_must_not_fail_ends_the_run_with_its_code(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats", "b": "once"}, "--set=b.restart=never",
                                env={"CODE": "9"})  # fmt: skip

    assert program.ended() == 9
    assert len(said(program.output, "a", "term")) == 1


def test_a_worker_that_refuses_to_stop_is_killed_within_the_budget(
    supervision: Supervision,
) -> None:
    program = supervision.begin({"a": "beats", "b": "refuse"}, "--stop=1", grace="60")
    program.until("ready:")

    program.signal(signal.SIGTERM)

    assert program.ended() == os.EX_SOFTWARE
    assert "SIGKILL" in program.output


PARENT = """
import os, signal, sys, time
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    sys.exit()
def finish(*_):
    time.sleep(0.3)
    print("child finished", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, finish if sys.argv[1] == "finishes" else lambda *_: None)
print("child up", flush=True)
while True:
    signal.pause()
"""


def test_what_a_shell_script_started_gets_the_rest_of_the_grace(
    supervision: Supervision, tmp_path: Path
) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    command = " ".join(python(str(tmp_path / "parent.py"), "finishes"))
    program = supervision.begin({"a": command}, grace="30")
    program.until("child up")

    program.signal(signal.SIGTERM)

    assert program.ended() == 0
    assert "child finished" in program.output
    assert "killed by SIGTERM; waiting for the rest of its process group" in program.output


def test_what_a_shell_script_started_is_killed_when_the_grace_is_over(
    supervision: Supervision, tmp_path: Path
) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    command = " ".join(python(str(tmp_path / "parent.py"), "refuses"))
    program = supervision.begin({"a": command}, grace="0.5")
    program.until("child up")

    program.signal(signal.SIGTERM)

    assert program.ended() == os.EX_SOFTWARE
    assert "SIGKILL to its process group" in program.output


def test_what_a_worker_leaves_that_ends_by_itself_is_killed_and_logged(
    supervision: Supervision, tmp_path: Path
) -> None:
    script = tmp_path / "leave"
    script.write_text("sleep 60 & echo left=$!; exit 3\n")
    program = supervision.begin({"a": f"sh {script}"}, "--set=a.restart=never")

    assert program.ended() == 3
    assert "a: the rest of its process group was killed" in program.output
    (left,) = re.findall(r"left=(\d+)", program.output)
    supervision.until(lambda: not Path(f"/proc/{left}").exists())


def test_a_second_order_to_stop_does_not_wait(supervision: Supervision) -> None:
    program = supervision.begin({"a": "refuse"}, "--stop=60", grace="60")
    program.until("ready:")
    program.signal(signal.SIGTERM)
    program.until("a refuses")
    # The same order twice at one time is one order.
    heard = supervision.worker("a")["uptime"]
    supervision.until(lambda: supervision.worker("a")["uptime"] > heard + 0.6)

    program.signal(signal.SIGTERM)

    assert program.ended() == os.EX_SOFTWARE


def test_sighup_and_user_signals_reach_the_workers(supervision: Supervision) -> None:
    program = supervision.begin({"a": "hup", "b": "hup"}, "--set=b.reload=no")
    program.until("ready:")

    for _ in range(2):
        place = len(program.output)
        program.signal(signal.SIGHUP)
        program.until("a reloads", after=place)

    assert "b reloads" not in program.output


def test_workers_have_no_input_and_none_of_the_supervisors_environment(
    supervision: Supervision, memory: Path
) -> None:
    extra = {"NOTIFY_SOCKET": str(memory / "none"), "WATCHDOG_USEC": "60000000"}
    program = supervision.begin({"a": "stdin", "b": "environment"}, env=extra, mode="--sd-notify")
    program.until("ready:")

    assert "stdin=b''" in program.output
    names = re.search(r"environment=(.*)\]", program.output)
    assert names is not None
    assert "HEARTBEAT_FD" in names[1]
    assert "NOTIFY" not in names[1]
    assert "WATCHDOG" not in names[1]


def test_each_worker_leads_its_own_process_group(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats", "b": "beats"})
    program.until("ready:")

    pids = [one["pid"] for one in supervision.status()["workers"]]

    assert [os.getpgid(pid) for pid in pids] == pids


def test_sockets_from_systemd_are_passed_on(start: Callable[..., Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = " ".join(python("-m", "container.supervise", "--watchdog", "--",
                                  *python(str(WORKER), "a", "listen")))  # fmt: skip
        script = (
            f"exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$;"
            f" SUPERVISE_SOCKET= exec {command}"
        )

        program = start("bash", "-c", script, pass_fds=(listener.fileno(),))

        program.until(f"port={port} heart=4")
        program.until("ready:")


def test_a_worker_inherits_nothing_but_its_heartbeat(start: Callable[..., Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = " ".join(python("-m", "container.supervise", "--watchdog", "--set=listen=no",
                                  "--", *python(str(WORKER), "a", "descriptors")))  # fmt: skip
        script = (
            f"exec 3<&{listener.fileno()} {listener.fileno()}<&-;"
            f" export LISTEN_FDS=1 LISTEN_PID=$$; SUPERVISE_SOCKET= exec {command}"
        )

        program = start("bash", "-c", script, pass_fds=(listener.fileno(),))

        program.until("descriptors=pipe ")


def test_a_unit_may_change_policies_in_the_environment(supervision: Supervision) -> None:
    program = supervision.begin(
        {"a": "beats", "b": "beats"}, env={"SUPERVISE_SET": "b.restart=never interval=0.1"}
    )
    program.until("ready:")

    os.kill(supervision.worker("b")["pid"], signal.SIGKILL)

    assert program.ended() == 128 + signal.SIGKILL


def test_status_shows_each_worker_and_why_it_was_restarted(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats", "b": "once"}, crash_deaths="0", backoff_first="9")
    program.until("starting again in")

    state = supervision.status()
    shown = supervision.ask("status")
    figures = supervision.ask("metrics").stdout

    assert state["state"] == "recovering"
    a, b = state["workers"]
    assert (a["state"], a["restarts"]) == ("healthy", 0)
    assert a["last_sign"] < 1
    assert a["memory"] > 1 << 20
    assert (b["state"], b["pid"]) == ("resting", 0)
    assert "ended with exit code 0" in b["reasons"][0]
    assert shown.returncode == 1
    assert "b: ended with exit code 0" in shown.stdout
    assert 'supervise_worker_healthy{worker="a"} 1\n' in figures
    assert 'supervise_worker_healthy{worker="b"} 0\n' in figures


def test_the_status_socket_is_its_users_alone(supervision: Supervision, memory: Path) -> None:
    program = supervision.begin({"a": "beats"})
    program.until("ready:")
    path = memory / "status.sock"

    assert path.stat().st_mode & 0o777 == 0o600
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    assert not path.exists()
    assert "no supervisor answers" in supervision.ask("status").stderr


def test_silent_clients_of_the_status_socket_do_no_harm(
    supervision: Supervision, memory: Path
) -> None:
    program = supervision.begin({"a": "beats"})
    program.until("ready:")
    silent = [socket.socket(socket.AF_UNIX) for _ in range(6)]
    for one in silent:
        one.connect(str(memory / "status.sock"))

    assert supervision.status()["state"] == "healthy"
    for one in silent:
        one.close()


def test_as_process_1_it_stops_on_sigterm_and_reaps_orphans(start: Callable[..., Program]) -> None:
    if os.getuid():
        pytest.skip("a PID namespace needs root")
    command = (*python("-m", "container.supervise", "--watchdog"), "--",
               *python(str(WORKER), "a", "storm"))  # fmt: skip
    program = start("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command,
                    env={"SUPERVISE_SOCKET": ""})  # fmt: skip
    program.until("ready:")
    inside = int(Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text())

    assert "NSpid:" in Path(f"/proc/{inside}/status").read_text()
    os.kill(inside, signal.SIGTERM)

    assert program.ended() == 0


def test_a_worker_runs_as_the_user_it_was_given(supervision: Supervision) -> None:
    if os.getuid():
        pytest.skip("dropping privileges needs root")
    program = supervision.begin({"a": "sleep 99"}, probe="none", user="12345:54321")
    program.until("ready:")

    status = Path(f"/proc/{supervision.worker('a')['pid']}/status").read_text()

    assert "Uid:\t12345\t12345\t12345\t12345" in status
    assert "Gid:\t54321\t54321\t54321\t54321" in status
    assert "Groups:\t \n" in status


@pytest.mark.parametrize("moment", ["front", "core"])
def test_as_process_1_it_heeds_a_stop_before_it_is_ready(
    start: Callable[..., Program], supervision: Supervision, moment: str
) -> None:
    if os.getuid():
        pytest.skip("a PID namespace needs root")
    argv = python("-m", "container.supervise", "--watchdog", "--set=probe=none", "--",
                  "sleep", "1000")  # fmt: skip
    program = start("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *argv,
                    env={"SUPERVISE_SOCKET": ""})  # fmt: skip
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    supervision.until(lambda: bool(children.read_text()))
    inside = int(children.read_text())

    # The front holds signals from its first lines on; the core is there before it can hear any.
    # On a busy machine the core may have taken the front's place between two looks.
    supervision.until(
        lambda: b"--core" in command(inside) or (moment == "front" and holds_signals(inside))
    )
    os.kill(inside, signal.SIGTERM)

    assert program.ended() == 0


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def holds_signals(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(re.findall(rf"^{name}:\t(\w+)$", status, re.MULTILINE)[0], 16)
             for name in ("SigBlk", "SigCgt")]  # fmt: skip
    return bool(masks[0] and masks[1] >> (signal.SIGTERM - 1) & 1)


def test_a_stop_while_workers_start_waits_for_nobody_who_does_not_run(
    supervision: Supervision,
) -> None:
    slow = {"SLOW": "60"}
    program = supervision.begin({"a": "slow", "b": "beats", "c": "beats"}, interval="300", env=slow)
    program.until("a up")

    program.signal(signal.SIGTERM)

    assert program.ended() == 0
    assert len(said(program.output, "a", "term")) == 1


def test_a_crash_loop_stops_the_others_at_once(supervision: Supervision) -> None:
    program = supervision.begin({"good": "sleep 1000", "bad": "crash"}, "--set=good.probe=none",
                                interval="300", crash_seconds="60")  # fmt: skip

    program.until("stopping: gave up")

    assert program.ended() == os.EX_TEMPFAIL


def test_a_hung_worker_is_restarted_although_it_then_ends_in_good_order(
    supervision: Supervision,
) -> None:
    program = supervision.begin({"a": "hang"}, restart="on-failure")

    # It exits with 0 when it is told to go, which is no success after a hang.
    program.until("a: hung")
    supervision.until(lambda: supervision.worker("a")["restarts"] >= 1)


def test_a_hung_worker_that_must_not_fail_ends_the_run(supervision: Supervision) -> None:
    program = supervision.begin({"a": "beats", "b": "hang"}, "--set=b.restart=never")

    assert program.ended() == os.EX_TEMPFAIL


def test_the_bare_command_gets_its_folder_limits_and_environment(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    config = tmp_path / "workers.toml"
    config.write_text(
        '[[worker]]\nname = "a"\ncommand = ["sh", "-c", "pwd; ulimit -c; echo $COLOUR"]\n'
        f'directory = "{tmp_path}"\nlimits = {{core = 0}}\nenvironment = {{COLOUR = "red"}}\n'
    )

    program = start(*python("-m", "container.supervise", "--config", str(config)))

    assert program.ended() == 0
    assert program.output.startswith(f"{tmp_path}\n0\nred\n")


@pytest.mark.parametrize("mode", [(), ("--watchdog", "--set=probe=none", "--set=restart=never")])
def test_no_signal_is_ignored_or_blocked_in_a_worker(
    start: Callable[..., Program], mode: tuple[str, ...]
) -> None:
    program = start(*python("-m", "container.supervise", *mode, "--",
                            "grep", "-E", "SigIgn|SigBlk", "/proc/self/status"),
                    env={"SUPERVISE_SOCKET": ""})  # fmt: skip

    assert program.ended() == 0
    masks = re.findall(r"Sig(Blk|Ign):\t([0-9a-f]+)\n", program.output)
    # 32 and 33 are the C library's own, left ignored by whom its posix_spawn started.
    assert [(name, int(mask, 16) & ~(0b11 << 31)) for name, mask in masks] == [
        ("Blk", 0),
        ("Ign", 0),
    ]


def test_what_was_open_when_it_started_is_not_passed_on(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    with (tmp_path / "mine").open("w") as file:
        command = python("-m", "container.supervise", "--watchdog", "--",
                         *python(str(WORKER), "a", "descriptors"))  # fmt: skip
        program = start(*command, env={"SUPERVISE_SOCKET": ""}, pass_fds=(file.fileno(),))

        program.until("descriptors=pipe ")


def test_a_file_where_the_status_socket_should_be_stays(
    supervision: Supervision, memory: Path
) -> None:
    (memory / "status.sock").write_text("somebody's")

    program = supervision.begin({"a": "beats"})
    program.until("ready:")

    assert "no status socket" in program.output
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    assert (memory / "status.sock").read_text() == "somebody's"


def test_a_user_that_only_root_could_become_is_refused(
    start: Callable[..., Program], memory: Path
) -> None:
    if os.getuid():
        pytest.skip("becoming another user first needs root")
    # Under folders that only root may enter, nobody else could read it.
    packed = memory / "supervise.pyz"
    subprocess.run(python("-m", "container.pack", str(packed)), check=True, capture_output=True,
                   cwd=ROOT)  # fmt: skip
    memory.chmod(0o755)
    command = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "/usr/bin/python3",
               str(packed), "--watchdog", "--set=probe=none", "--set=restart=never")  # fmt: skip

    other = start(*command, "--set=user=12345", "--", "true")
    own = start(*command, "--set=user=54321", "--", "id", "-u", env={"SUPERVISE_SOCKET": ""})

    assert other.ended() == os.EX_CONFIG
    assert "runs as 54321:54321, and only root can become 12345:12345" in other.output
    assert own.ended() == 0
    assert "54321\n" in own.output


@pytest.mark.parametrize("probe", ["tcp://127.0.0.1:{port}", "http://127.0.0.1:{port}/"])
def test_a_worker_can_be_probed_over_the_network(
    supervision: Supervision, free_port: int, tmp_path: Path, probe: str
) -> None:
    server = " ".join(python("-m", "http.server", "--bind", "127.0.0.1", str(free_port)))

    program = supervision.begin(
        {"web": server},
        "--set=web.directory=" + str(tmp_path),
        probe=probe.format(port=free_port),
        timeout="0.5",
    )

    program.until("ready:")
    os.kill(supervision.worker("web")["pid"], signal.SIGSTOP)
    # A stopped server still completes TCP connections: the kernel accepts them.
    if probe.startswith("http"):
        program.until("hung: 3 probes failed (no answer within")
        supervision.until(lambda: supervision.worker("web")["state"] == "healthy")


def test_a_probe_that_is_answered_badly_counts_as_failed(
    supervision: Supervision, free_port: int
) -> None:
    server = " ".join(python("-m", "http.server", "--bind", "127.0.0.1", str(free_port)))
    missing = f"http://127.0.0.1:{free_port}/missing"

    program = supervision.begin({"web": server}, probe=missing, start="1.5")

    program.until("its start (the status is 404)")


def test_an_answer_without_an_end_does_not_keep_the_supervisor(
    supervision: Supervision, free_port: int
) -> None:
    flood = " ".join(python(str(WORKER), "web", "flood_answers", str(free_port)))

    program = supervision.begin({"web": flood, "b": "beats"},
                                f"--set=web.probe=http://127.0.0.1:{free_port}/",
                                start="2", crash_deaths="0")  # fmt: skip

    program.until("its start (the status is 0)")
    program.signal(signal.SIGTERM)
    assert program.ended() in {0, os.EX_SOFTWARE}


def test_a_command_can_be_the_probe(supervision: Supervision, tmp_path: Path) -> None:
    config = tmp_path / "workers.toml"
    flag = tmp_path / "well"
    flag.touch()
    config.write_text(
        f'[[worker]]\nname = "a"\ncommand = "sleep 99"\nprobe = ["test", "-e", "{flag}"]\n'
    )
    program = supervision.begin({}, "--config", str(config))
    program.until("ready:")

    flag.unlink()

    program.until("a: hung: 3 probes failed (the probe's exit code is 1); SIGTERM")
    flag.touch()
    supervision.until(lambda: supervision.worker("a")["state"] == "healthy")


def test_one_file_does_it_all(tmp_path: Path, start: Callable[..., Program]) -> None:
    packed = tmp_path / "supervise.pyz"
    subprocess.run(python("-m", "container.pack", str(packed)), check=True, capture_output=True,
                   cwd=ROOT)  # fmt: skip

    program = start(*python(str(packed)), "--watchdog", "--", *python(str(WORKER), "a", "beats"),
                    env={"SUPERVISE_SOCKET": str(tmp_path / "s")})  # fmt: skip
    program.until("ready:")

    program.signal(signal.SIGTERM)
    assert program.ended() == 0
