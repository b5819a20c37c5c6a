"""The sample under its supervisor: two workers, and the switches that make them misbehave."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.root import ROOT
from tests.unit.container.keys import PASSWORD, issue
from tests.unit.container.process import Program, python
from tests.unit.container.supervision import Supervision

pytestmark = pytest.mark.program
WEB = " ".join(python("-m", "container.sample.app"))
JOBS = " ".join(python("-m", "container.sample.app.jobs"))


class Site:
    """A supervised sample, and how a client reaches it."""

    def __init__(
        self, program: Program, supervision: Supervision, env: dict[str, str], tls: Path
    ) -> None:
        self.program, self.supervision, self.env, self.tls = program, supervision, env, tls

    def get(self) -> int:
        context = ssl.create_default_context(cafile=str(self.tls / "server.crt"))
        port = int(self.env["HTTPS_PORT"])
        connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status
        finally:
            connection.close()

    def fault(self, worker: str, fault: str) -> None:
        subprocess.run(
            python("-m", "container.sample.app.fault", worker, fault),
            cwd=ROOT, env={**os.environ, **self.env}, check=True,
        )  # fmt: skip

    def restarted(self, worker: str, first: int) -> bool:
        found = self.supervision.worker(worker)
        return bool(found["state"] == "healthy" and found["pid"] != first)


@pytest.fixture
def site(supervision: Supervision, tls: Path, memory: Path, free_port: int) -> Site:
    env = {
        "APP": "serbest-www", "BIND": "127.0.0.1", "HTTPS_PORT": str(free_port), "QUIET": "1",
        "TLS_CERT": str(tls / "server.crt"), "TLS_KEY_ENC": str(tls / "server.key.enc"),
        "CERT_PASS_FILE": str(tls / "cert_pass"), "TLS_RUN_DIR": str(memory),
        "DATA_DIR": str(tls),
    }  # fmt: skip
    program = supervision.begin({"web": WEB, "jobs": JOBS}, "--tls", env=env, interval="0.6")
    program.until("ready:")
    return Site(program, supervision, env, tls)


def test_both_workers_work(site: Site) -> None:
    assert site.get() == 200
    site.supervision.until((site.tls / "jobs-done").exists)


def test_a_hung_worker_is_restarted_with_no_failed_request_on_the_other(site: Site) -> None:
    first = site.supervision.worker("jobs")["pid"]
    answers: list[int] = []
    over = threading.Event()

    def visit() -> None:
        while not over.is_set():
            answers.append(site.get())

    visitor = threading.Thread(target=visit)
    visitor.start()
    site.fault("jobs", "hang")
    try:
        site.supervision.until(lambda: site.restarted("jobs", first))
    finally:
        over.set()
        visitor.join()

    assert "hung: no heartbeat" in site.supervision.worker("jobs")["reasons"][0]
    assert len(answers) > 20
    assert set(answers) == {200}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("hang", "hung: no heartbeat"),
        ("crash", "ended with exit code 3"),
        ("slow-start=3", "hung: no heartbeat"),
    ],
)
def test_the_web_worker_serves_again_after(site: Site, fault: str, reason: str) -> None:
    first = site.supervision.worker("web")["pid"]

    site.fault("web", fault)

    site.supervision.until(lambda: site.restarted("web", first))
    assert reason in site.supervision.worker("web")["reasons"][0]
    assert site.get() == 200


def test_a_worker_that_refuses_sigterm_does_not_hold_up_the_stop(site: Site) -> None:
    site.fault("jobs", "refuse-term")
    site.program.until("fault: refuse-term")

    site.program.signal(signal.SIGTERM)

    assert site.program.ended() == os.EX_SOFTWARE
    assert "SIGTERM refused" in site.program.output


def test_a_worker_can_be_probed_over_https(
    supervision: Supervision, tls: Path, memory: Path, free_port: int
) -> None:
    env = {
        "BIND": "127.0.0.1", "HTTPS_PORT": str(free_port), "TLS_CERT": str(tls / "server.crt"),
        "TLS_KEY_ENC": str(tls / "server.key.enc"), "CERT_PASS_FILE": str(tls / "cert_pass"),
        "TLS_RUN_DIR": str(memory),
    }  # fmt: skip
    program = supervision.begin(
        {"web": WEB}, env=env, probe=f"https://127.0.0.1:{free_port}/health", timeout="1"
    )
    program.until("ready:")

    os.kill(supervision.worker("web")["pid"], signal.SIGSTOP)

    program.until("web: hung: 3 probes failed (no answer within 1 s)")
    supervision.until(lambda: supervision.worker("web")["state"] == "healthy")


def test_a_slow_start_is_waited_for(supervision: Supervision, memory: Path) -> None:
    env = {"FAULT": "jobs:slow-start=1.5", "DATA_DIR": "/nonexistent", "TLS_RUN_DIR": str(memory)}
    program = supervision.begin({"jobs": JOBS}, env=env)

    output = program.until("jobs: healthy after ")
    (seconds,) = re.findall(r"jobs: healthy after ([\d.]+)", output)
    assert float(seconds) >= 1.5


def test_a_start_that_takes_too_long_is_a_failure(supervision: Supervision, memory: Path) -> None:
    env = {"FAULT": "jobs:slow-start=60", "TLS_RUN_DIR": str(memory)}
    program = supervision.begin({"jobs": JOBS}, env=env, start="0.8")

    program.until("jobs: not ready 0.8 s after its start; SIGTERM")


def test_a_leak_ends_at_the_limit(supervision: Supervision, memory: Path) -> None:
    env = {"FAULT": "jobs:leak", "DATA_DIR": "/nonexistent", "TLS_RUN_DIR": str(memory)}
    program = supervision.begin({"jobs": JOBS}, env=env, memory="60M")

    program.until("MiB of memory; SIGTERM")


def test_sighup_brings_the_new_certificate_to_the_worker(site: Site, tmp_path: Path) -> None:
    issue(tmp_path / "renewed")
    for name in ("server.crt", "server.key.enc"):
        shutil.copy(tmp_path / "renewed" / name, site.tls / name)
    web = site.supervision.worker("web")["pid"]

    site.program.signal(signal.SIGHUP)
    site.program.until("the certificate was re-read")

    assert site.get() == 200  # verified against the renewed certificate
    assert site.supervision.worker("web")["pid"] == web


def test_a_reload_that_fails_leaves_everything_as_it_is(site: Site) -> None:
    (site.tls / "cert_pass").write_text("wrong")

    site.program.signal(signal.SIGHUP)

    site.program.until("the reload failed with 77")
    assert site.get() == 200
    (site.tls / "cert_pass").write_text(PASSWORD)
    site.program.signal(signal.SIGHUP)
    site.program.until("the certificate was re-read")
    assert site.program.output.count("re-read") == 1


def test_a_second_sighup_during_a_reload_is_not_lost(site: Site) -> None:
    password = site.tls / "cert_pass"
    password.unlink()
    os.mkfifo(password)  # who reads it waits until somebody writes
    site.program.signal(signal.SIGHUP)
    site.program.until("reloading")
    with password.open("w") as writer:  # opened: so the first is about to read
        site.program.signal(signal.SIGHUP)
        site.supervision.until(lambda: site.supervision.status()["state"] == "healthy")
        writer.write(PASSWORD)
    site.program.until("the certificate was re-read")

    with password.open("w") as writer:
        writer.write(PASSWORD)

    place = site.program.output.index("the certificate was re-read") + 1
    site.program.until("the certificate was re-read", after=place)
    assert site.get() == 200


def test_no_process_has_the_password_in_its_environment_or_arguments(site: Site) -> None:
    pids = [site.program.pid, *(one["pid"] for one in site.supervision.status()["workers"])]

    for pid in pids:
        for name in ("environ", "cmdline"):
            assert PASSWORD.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_the_password_goes_into_the_environment_only_when_asked_and_says_so(
    supervision: Supervision, tls: Path
) -> None:
    program = supervision.begin(
        {"a": "sleep 99"}, "--pass-in-environment", probe="none",
        env={"CERT_PASS_FILE": str(tls / "cert_pass")},
    )  # fmt: skip

    program.until("the key's password goes into CERT_PASS")
    program.until("ready:")
    environment = Path(f"/proc/{supervision.worker('a')['pid']}/environ").read_bytes()
    assert b"CERT_PASS=" + PASSWORD.encode() in environment.split(b"\0")


def test_a_folder_that_all_may_write_serves_a_user_without_a_name(
    tls: Path, memory: Path, start: Callable[..., Program]
) -> None:
    if os.getuid():
        pytest.skip("becoming another user needs root")
    # Under folders that only root may enter, nobody else could read them.
    shutil.copytree(tls, memory / "tls")
    shutil.copytree(ROOT / "container", memory / "container")
    folder = memory / "run"
    folder.mkdir()
    for path in (memory, *memory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o1777)
    env = {"TLS_CERT": str(memory / "tls/server.crt"), "PYTHONPATH": str(memory),
           "TLS_KEY_ENC": str(memory / "tls/server.key.enc"), "TLS_RUN_DIR": str(folder),
           "CERT_PASS_FILE": str(memory / "tls/cert_pass")}  # fmt: skip

    program = start("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
                    "/usr/bin/python3", "-m", "container.supervise", "--watchdog", "--tls",
                    "--set=probe=none", "--", "sleep", "99", env=env)  # fmt: skip
    program.until("ready:")

    assert (folder / "server.key").stat().st_uid == 54321
    assert (folder / "supervise-54321.sock").is_socket()
    program.signal(signal.SIGHUP)
    program.until("reloading")
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    assert "failed" not in program.output


@pytest.mark.parametrize("user", ["12345", ""])
def test_the_key_belongs_to_the_workers_user(
    supervision: Supervision, tls: Path, memory: Path, user: str
) -> None:
    if os.getuid():
        pytest.skip("giving a file away needs root")
    env = {"TLS_CERT": str(tls / "server.crt"), "TLS_KEY_ENC": str(tls / "server.key.enc"),
           "CERT_PASS_FILE": str(tls / "cert_pass"), "TLS_RUN_DIR": str(memory)}  # fmt: skip
    policy = {"user": user} if user else {}
    program = supervision.begin({"a": "sleep 99"}, "--tls", probe="none", env=env, **policy)
    program.until("ready:")
    first = (memory / "server.key").stat().st_ino

    program.signal(signal.SIGHUP)
    # It is given to the user once it is in its place, before a worker hears of it.
    supervision.until(
        lambda: (
            (found := (memory / "server.key").stat()).st_ino != first
            and found.st_uid == int(user or 0)
        )
    )

    assert (memory / "server.key").stat().st_mode & 0o777 == 0o400
