"""A worker for tests: `worker.py NAME FAULT`; it says what it does on standard output."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from container.heartbeat import Heartbeat

NAME, FAULT = sys.argv[1], sys.argv[2]
HEART = Heartbeat(os.environ)


def say(text: str) -> None:
    os.write(1, f"{NAME} {text} {os.getpid()} {time.monotonic():.6f}\n".encode())


def stop(*_: object) -> None:
    say("term")
    os._exit(0)


def beats(seconds: float = 1e9) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        HEART.beat()
        time.sleep(HEART.interval / 10)


def hang() -> None:
    beats(HEART.interval * 2)
    say("hangs")
    time.sleep(1e6)


def hang_thread() -> None:
    heart = Heartbeat(os.environ, "main", "other")

    def other() -> None:
        for _ in range(20):
            heart.beat("other")
            time.sleep(heart.interval / 10)
        say("hangs")
        time.sleep(1e6)

    threading.Thread(target=other, daemon=True).start()
    while True:
        heart.beat("main")
        time.sleep(heart.interval / 10)


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def refuse() -> None:
    signal.signal(signal.SIGTERM, lambda *_: say("refuses"))
    beats()


def flood() -> None:
    descriptor = int(os.environ["HEARTBEAT_FD"])
    while True:
        try:
            os.write(descriptor, b"H" * 65536)
        except BlockingIOError:
            time.sleep(0.001)


def flood_answers() -> None:
    """Answer whoever asks with a line that does not end."""
    with socket.create_server(("127.0.0.1", int(sys.argv[3]))) as listener:
        while True:
            asking, _ = listener.accept()
            with asking, suppress(OSError):
                while True:
                    asking.sendall(b"x" * 1000000)


def leave_group() -> None:
    """Move to the supervisor's own group, out of reach of a signal to this one's."""
    os.setpgid(0, os.getpgid(os.getppid()))
    refuse()


def close() -> None:
    beats(HEART.interval * 2)
    os.close(int(os.environ["HEARTBEAT_FD"]))
    say("closed")
    time.sleep(1e6)


def grandchild() -> None:
    child = subprocess.Popen(["sleep", "1000"], close_fds=True)
    os.write(1, f"grandchild={child.pid}\n".encode())
    beats(HEART.interval * 2)
    os._exit(3)


def fill() -> None:
    beats(HEART.interval * 2)
    while True:
        os.write(2, b"x" * 4096)
        HEART.beat()


def storm() -> None:
    """Leave orphans behind, each of which ends at once, at 1000 forks a second and more.

    A shell does it, whose forks cost a fifth of Python's; it says its uptime after each 100 forks.
    """
    script = (
        'while :; do printf H >&"$HEARTBEAT_FD"; i=0; while [ $i -lt 50 ]; do (: &); i=$((i + 1));'
        f" done; read -r up idle </proc/uptime; echo {NAME} forked 100 $up; sleep 0.05; done"
    )
    os.set_inheritable(int(os.environ["HEARTBEAT_FD"]), True)  # noqa: FBT003 - the only form
    os.execv("/bin/sh", ("sh", "-c", script))  # noqa: S606


def clock() -> None:
    """Say the time of day again and again."""
    while True:
        HEART.beat()
        say(f"clock={time.time():.0f}")
        # Not time.sleep: libfaketime makes an invalid argument of its deadline.
        select.select((), (), (), HEART.interval / 10)


def leak() -> None:
    kept = []
    while True:
        HEART.beat()
        kept.append(bytearray(os.urandom(1 << 20)))
        time.sleep(0.005)


def crash() -> None:
    os._exit(3)


def once() -> None:
    beats(HEART.interval * 2)
    os._exit(int(os.environ.get("CODE", "0")))


def slow() -> None:
    time.sleep(float(os.environ["SLOW"]))
    beats()


def stdin() -> None:
    say(f"stdin={os.read(0, 10)!r}")
    beats()


def listen() -> None:
    assert int(os.environ["LISTEN_PID"]) == os.getpid()
    with socket.socket(fileno=3) as given:
        say(f"port={given.getsockname()[1]} heart={os.environ['HEARTBEAT_FD']}")
        beats()


def descriptors() -> None:
    links = [Path(f"/proc/self/fd/{number}") for number in range(3, 20)]
    found = sorted(str(one.readlink()).split(":")[0] for one in links if one.is_symlink())
    say(f"descriptors={','.join(found)}")
    beats()


def environment() -> None:
    say(f"environment={sorted(os.environ)}")
    beats()


def hup() -> None:
    signal.signal(signal.SIGHUP, lambda *_: say("reloads"))
    beats()


signal.signal(signal.SIGTERM, stop)
say("up")
globals().get(FAULT, beats)()
