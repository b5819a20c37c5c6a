from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from container.errors import ContainerError
from container.sample.app.settings import read_settings
from tests import ports
from tests.unit.container.keys import PASSWORD, issue
from tests.unit.container.listening import Listener
from tests.unit.container.process import Program, python

pytestmark = pytest.mark.program
Start = Callable[..., Program]


class Site:
    """A sample that runs, and how a client reaches it."""

    def __init__(self, program: Program, port: int, tls: Path) -> None:
        self.program, self.port, self.tls = program, port, tls

    def connect(self, host: str = "localhost") -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.tls / "server.crt"))
        return http.client.HTTPSConnection(host, self.port, timeout=60, context=context)

    def get(self, path: str) -> tuple[int, str]:
        connection = self.connect()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def environment(tls: Path, memory: Path, port: int) -> dict[str, str]:
    return {
        "APP": "serbest-www", "SAMPLE_VERSION": "1.2", "RELEASE": "r7", "BIND": "::1,127.0.0.1",
        "HTTPS_PORT": str(port), "TLS_CERT": str(tls / "server.crt"),
        "TLS_KEY_ENC": str(tls / "server.key.enc"), "CERT_PASS_FILE": str(tls / "cert_pass"),
        "TLS_RUN_DIR": str(memory), "FILES_DIR": str(tls),
    }  # fmt: skip


@pytest.fixture
def site(tls: Path, memory: Path, free_port: int, start: Start) -> Site:
    program = start(*python("-m", "container.sample.app"), env=environment(tls, memory, free_port))
    program.until("serves on")
    return Site(program, free_port, tls)


def test_the_page_names_the_app_and_shows_the_project_files(site: Site) -> None:
    assert "no index.html" in site.get("/")[1]
    (site.tls / "index.html").write_text("<p>Grüezi</p>", encoding="utf-8")

    status, page = site.get("/")

    assert status == 200
    for text in ("<h1>serbest-www</h1>", "1.2", "r7", socket.gethostname(), "<p>Grüezi</p>"):
        assert text in page


def test_health_is_ok_once_it_serves(site: Site) -> None:
    status, body = site.get("/health?x=1")

    assert status == 200
    assert json.loads(body)["status"] == "ok"
    assert site.get("/nothing")[0] == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_families_are_served(site: Site, address: str) -> None:
    with socket.create_connection((address, site.port), timeout=60) as plain:
        context = ssl.create_default_context(cafile=str(site.tls / "server.crt"))
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            assert secure.version() in {"TLSv1.2", "TLSv1.3"}


def test_tls_older_than_1_2_is_refused(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.tls / "server.crt"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=60) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_a_connection_is_kept_for_the_next_request(site: Site) -> None:
    connection = site.connect()
    connection.request("GET", "/health")
    connection.getresponse().read()
    first = connection.sock

    connection.request("HEAD", "/")
    response = connection.getresponse()

    assert response.status == 200
    assert response.read() == b""
    assert connection.sock is first
    connection.close()


def test_silent_clients_do_not_keep_others_waiting(site: Site) -> None:
    silent = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(50)]

    status, _ = site.get("/health")

    assert status == 200
    for one in silent:
        one.settimeout(0)
        with pytest.raises(BlockingIOError):  # it is still connected, and was not answered first
            one.recv(1)
        one.close()


def test_a_client_that_resets_before_it_is_accepted_does_no_harm(site: Site) -> None:
    site.program.signal(signal.SIGSTOP)
    gone = socket.create_connection(("127.0.0.1", site.port))
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()

    site.program.signal(signal.SIGCONT)

    assert site.get("/health")[0] == 200
    assert site.program.alive()


def test_each_request_is_one_line_in_the_log_without_control_characters(site: Site) -> None:
    site.get("/health")
    context = ssl.create_default_context(cafile=str(site.tls / "server.crt"))
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n")
        secure.recv(4096)

    output = site.program.until('"GET /\\x1b[31m HTTP/1.1" 404')

    assert output.count('"GET /health HTTP/1.1" 200') == 1
    assert "\x1b" not in output


def test_sigterm_ends_idle_connections_and_exits_0(site: Site) -> None:
    connection = site.connect()
    connection.request("GET", "/health")
    connection.getresponse().read()

    site.program.signal(signal.SIGTERM)

    assert site.program.ended() == 0
    connection.close()


def test_a_kept_connection_is_answered_once_more_and_told_that_it_closes(
    tls: Path, memory: Path, free_port: int, start: Start
) -> None:
    listener = Listener(str(memory / "notify"))
    env = environment(tls, memory, free_port) | {"NOTIFY_SOCKET": listener.address}
    site = Site(start(*python("-m", "container.sample.app"), env=env), free_port, tls)
    listener.until("READY=1")
    connection = site.connect()
    connection.request("GET", "/health")
    connection.getresponse().read()
    site.program.signal(signal.SIGTERM)
    listener.until("STOPPING=1")

    connection.request("GET", "/")

    response = connection.getresponse()
    assert response.status == 200
    assert response.read()
    assert response.will_close
    assert site.program.ended() == 0
    connection.close()
    listener.close()


def test_no_request_fails_while_it_stops(site: Site) -> None:
    """Connections that were made before the signal are answered, accepted or not."""
    results: list[int | str] = []
    ready = threading.Barrier(21)

    def one() -> None:
        plain = socket.create_connection(("127.0.0.1", site.port), timeout=60)
        ready.wait()
        context = ssl.create_default_context(cafile=str(site.tls / "server.crt"))
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            results.append(secure.recv(4096).decode().split()[1])

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    ready.wait()
    site.program.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()

    assert site.program.ended() == 0
    assert len(results) == 20
    assert set(results) <= {"200", "503"}


def served_certificate(site: Site) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=60) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_sighup_serves_the_new_certificate_and_drops_no_connection(
    site: Site, tmp_path: Path
) -> None:
    kept = site.connect()
    kept.request("GET", "/health")
    kept.getresponse().read()
    before = served_certificate(site)
    issue(tmp_path / "renewed")
    for name in ("server.crt", "server.key.enc"):
        shutil.copy(tmp_path / "renewed" / name, site.tls / name)

    site.program.signal(signal.SIGHUP)
    site.program.until("certificate was re-read")

    assert served_certificate(site) != before
    kept.request("GET", "/health")
    assert kept.getresponse().status == 200
    kept.close()


def test_a_certificate_that_cannot_be_used_leaves_the_old_one(site: Site) -> None:
    before = served_certificate(site)
    (site.tls / "cert_pass").write_text("wrong")

    site.program.signal(signal.SIGHUP)
    site.program.until("was not re-read")

    assert served_certificate(site) == before


def test_http_sends_the_client_to_https(
    tls: Path, memory: Path, free_port: int, start: Start
) -> None:
    plain_port = ports.free_port()
    extra = {"HTTP_PORT": str(plain_port), "PUBLIC_HTTPS_PORT": "444"}
    program = start(
        *python("-m", "container.sample.app"), env={**environment(tls, memory, free_port), **extra}
    )
    program.until("serves on")

    connection = http.client.HTTPConnection("127.0.0.1", plain_port, timeout=60)
    connection.request("GET", "/a?b=c", headers={"Host": "www.example.org:80"})
    answer = connection.getresponse()
    answer.read()
    connection.request("GET", "/", headers={"Host": "a b"})
    refused = connection.getresponse()

    assert answer.status == 301
    assert answer.headers["Location"] == "https://www.example.org:444/a?b=c"
    assert refused.status == 400
    connection.close()


def test_systemd_hears_ready_watchdog_and_stopping(
    tls: Path, memory: Path, free_port: int, start: Start
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(memory / "notify"))
        channel.settimeout(60)
        extra = {"NOTIFY_SOCKET": str(memory / "notify"), "WATCHDOG_USEC": "300000"}
        program = start(
            *python("-m", "container.sample.app"),
            env={**environment(tls, memory, free_port), **extra},
        )

        heard = [channel.recv(4096).decode() for _ in range(4)]
        program.signal(signal.SIGHUP)
        while "RELOADING=1" not in heard[-1]:
            heard.append(channel.recv(4096).decode())
        program.signal(signal.SIGTERM)
        while "STOPPING=1" not in heard[-1]:
            heard.append(channel.recv(4096).decode())

    assert heard[0].startswith("READY=1\n")
    assert heard[1:4] == ["WATCHDOG=1"] * 3
    assert any("MONOTONIC_USEC=" in one for one in heard)


def test_a_wrong_password_is_one_line_and_its_own_exit_code(
    tls: Path, memory: Path, free_port: int, start: Start
) -> None:
    (tls / "cert_pass").write_text("wrong")

    program = start(*python("-m", "container.sample.app"), env=environment(tls, memory, free_port))

    assert program.ended() == os.EX_NOPERM
    assert program.output.count("\n") == 1
    assert "server.key.enc cannot be decrypted" in program.output


def test_a_port_in_use_is_told(tls: Path, memory: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start(*python("-m", "container.sample.app"), env=environment(tls, memory, port))

        assert program.ended() == os.EX_UNAVAILABLE
    assert f"port {port}" in program.output


def test_the_password_is_in_no_environment_or_command_line(site: Site) -> None:
    for name in ("environ", "cmdline"):
        assert PASSWORD.encode() not in Path(f"/proc/{site.program.pid}/{name}").read_bytes()


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ContainerError) as caught:
        read_settings({"HTTPS_PORT": "70000", "HTTP_PORT": "x", "HEALTH_PATH": "health"})

    assert caught.value.code == os.EX_CONFIG
    for text in ("HTTPS_PORT='70000'", "HTTP_PORT='x'", "HEALTH_PATH='health'"):
        assert text in str(caught.value)


def test_sockets_that_are_handed_on_are_taken_tls_on_the_first(
    tls: Path, memory: Path, start: Start
) -> None:
    shell = 'exec 3<&"$1" 4<&"$2"; export LISTEN_PID=$$ LISTEN_FDS=2; shift 2; exec "$@"'
    with (
        socket.create_server(("localhost", 0)) as https,
        socket.create_server(("localhost", 0)) as plain,
    ):
        handed = (https.fileno(), plain.fileno())
        words = ("bash", "-c", shell, "bash", *map(str, handed))
        sample = python("-m", "container.sample.app")
        told = environment(tls, memory, 1) | {"HTTP_PORT": "2"}
        program = start(*words, *sample, env=told, pass_fds=handed)
        program.until("serves on")
        site = Site(program, https.getsockname()[1], tls)

        assert site.get("/health")[0] == 200
        asked = http.client.HTTPConnection("localhost", plain.getsockname()[1], timeout=60)
        asked.request("GET", "/page")
        assert asked.getresponse().status == 301
        asked.close()
        program.signal(signal.SIGTERM)
        assert program.ended() == 0
        # Nobody takes them now, and whoever comes waits in them for the next.
        with socket.create_connection(https.getsockname(), timeout=60):
            pass


def test_sockets_for_another_process_are_left_alone(
    tls: Path, memory: Path, free_port: int, start: Start
) -> None:
    told = environment(tls, memory, free_port) | {"LISTEN_PID": "1", "LISTEN_FDS": "2"}
    program = start(*python("-m", "container.sample.app"), env=told)
    program.until("serves on")

    assert Site(program, free_port, tls).get("/health")[0] == 200
