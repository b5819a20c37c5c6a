"""A node's certificate changes while it serves, from whatever authority, or stays as it was."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.visits import RATE, Site, failures, read, visiting, within
from certs.keyfile import encrypt, new_key
from deploy.node.endpoint import Endpoint
from deploy.node.script import script_text
from rehearsal import lifecycle
from tests.system.conftest import CERT_PASSWORD, NAME, authority
from tests.system.page import get
from tests.system.project import Project, logins
from tests.system.visitors import crowding, shaking_hands
from tests.unit.certs.pebble import Pebble, running

pytestmark = pytest.mark.node
Program = Callable[[str], str]


def fingerprint(project: Project) -> str:
    """Read the one fingerprint that every place agrees on."""
    places = json.loads(project.must("cert-status", "--json"))["places"]
    (only,) = {place["sha256"] for place in places}
    return str(only)


def invocation(project: Project) -> str:
    app = project.settings["PROJECT"]
    return project.ssh(f"systemctl show -P InvocationID '{app}-www*.service' | sort")


def pair(project: Project) -> dict[str, bytes]:
    folder = project.folder / "certs/material" / f"{project.settings['PROJECT']}-www"
    return {file.name: file.read_bytes() for file in folder.glob("server.*")}


@pytest.mark.core
def test_a_rotation_under_load_fails_no_request_restarts_nothing_and_is_shown_to_all(
    serving: Project, tmp_path: Path
) -> None:
    before, started = fingerprint(serving), invocation(serving)
    site = Site(serving.node.address, 443, NAME, authority(serving))
    node = lifecycle.find(serving.settings["PROJECT"])
    assert node
    endpoints = [Endpoint(address, 443, NAME) for address in (node.address, node.address6)]
    said: list[tuple[float, str]] = []

    with visiting(site, tmp_path / "visits"), shaking_hands(*endpoints) as seen:
        began = time.monotonic()
        with serving.start("cert-rotate-https") as process:
            said += [(time.monotonic(), line) for line in process.stdout or ()]
        ended = time.monotonic()
        # On a busy machine visitors come late, but none stays away.
        while not any(visit.due > ended for visit in read(tmp_path / "visits")):
            time.sleep(0.1)
            assert time.monotonic() < ended + 600

    after = fingerprint(serving)
    assert process.returncode == 0, said
    visits = read(tmp_path / "visits")
    assert failures(visits) == []
    assert len(within(visits, [(began, ended)])) > RATE
    assert {mark for _, mark in seen} == {before, after}
    ((proven_at, proven),) = ((at, line) for at, line in said if "healthy" in line)
    assert max(at for at, mark in seen if mark == before) < proven_at
    assert invocation(serving) == started
    assert node.address in proven
    assert node.address6 in proven
    (line,) = json.loads(serving.must("audit", "--lines", "1", "--json"))["lines"]
    assert (line["what"], line["result"]) == ("certificate", "ok")
    assert after in line["detail"]


def test_the_certificate_before_comes_back_and_a_given_one_with_its_key_is_served(
    serving: Project, tmp_path: Path
) -> None:
    first = fingerprint(serving)
    serving.must("cert-rotate-https")
    second, new = fingerprint(serving), pair(serving)
    (tmp_path / "given.crt").write_bytes(new["server.crt"])
    (tmp_path / "given.key").write_bytes(new["server.key.enc"])

    serving.must("cert-restore")
    assert fingerprint(serving) == first
    serving.must(
        *("cert-rotate-https", "--certificate", str(tmp_path / "given.crt")),
        *("--key", str(tmp_path / "given.key")),
    )
    assert fingerprint(serving) == second
    serving.must("cert-restore")
    assert fingerprint(serving) == first


def test_a_certificate_of_another_key_is_refused_before_the_node_is_touched(
    serving: Project, tmp_path: Path
) -> None:
    now = pair(serving)
    (tmp_path / "given.crt").write_bytes(now["server.crt"])
    (tmp_path / "other.key").write_bytes(encrypt(new_key(), CERT_PASSWORD.encode()))
    (tmp_path / "other.key").chmod(0o600)
    before = logins(serving)

    said = serving.fab(
        *("cert-rotate-https", "--certificate", str(tmp_path / "given.crt")),
        *("--key", str(tmp_path / "other.key")),
    )

    assert said.code == 1
    assert "key" in said.out
    assert pair(serving) == now
    assert logins(serving) == before + 1


@pytest.mark.slow
def test_a_rotation_sabotaged_on_the_node_is_undone_and_that_is_proven(
    serving: Project,
) -> None:
    before, kept = fingerprint(serving), pair(serving)
    app = serving.settings["PROJECT"] + "-www"
    file = f"$(ls /run/{app}*/secrets/cert_pass)"
    # An earlier one was cut off between key and certificate: that is nothing to go back to.
    serving.ssh(
        f"cd /var/lib/{app}/current; mkdir before; cp -pR tls manifest.json before/; "
        "sed -i s/A/B/g tls/server.key.enc"
    )
    # What the app reads at the signal is not what was sealed.
    serving.ssh(f"cp -p {file} /run/kept; echo wrong >{file}")

    with crowding(serving.node.address, NAME) as visits:
        said = serving.fab("cert-rotate-https", HEALTH_TIMEOUT_SECONDS="3")

    serving.ssh(f"cat /run/kept >{file}; rm /run/kept")
    assert said.code == 1
    assert "not the expected one" in said.out
    assert "serves again, proven by handshake" in said.out
    assert "previous certificate restored" in said.out
    assert visits.failures == []
    assert pair(serving) == kept
    assert fingerprint(serving) == before
    sealed = serving.ssh(f"cat /var/lib/{app}/current/tls/server.key.enc").encode()
    assert sealed == kept["server.key.enc"]


def test_an_app_without_a_reload_signal_gets_a_new_slot_and_no_request_fails(
    serving: Project,
) -> None:
    before, slot = fingerprint(serving), serving.container()

    with crowding(serving.node.address, NAME) as visits:
        serving.must("cert-rotate-https", RELOAD_SIGNAL="")

    assert visits.failures == []
    assert fingerprint(serving) != before
    assert serving.container() != slot


@pytest.mark.slow
def test_a_node_whose_clock_is_a_year_off_is_refused_and_keeps_its_certificate(
    serving: Project,
) -> None:
    before, kept = fingerprint(serving), pair(serving)
    clock = "/usr/local/bin/date"
    shim = '#!/bin/sh\nexec /usr/bin/date --date="now + 400 days 12 hours" "$@"'
    serving.ssh(f"cat >{clock} <<'END'\n{shim}\nEND\nchmod 755 {clock}")
    try:
        said = serving.fab("cert-rotate-https")
        unloaded = serving.fab("cert-rotate-https", RELOAD_SIGNAL="")
        status = serving.fab("cert-status", "--json")
    finally:
        serving.ssh(f"rm {clock}")

    for one in (said, unloaded):
        assert one.code == 1
        assert "the node's clock is 400 days" in one.out
        assert "chronyc tracking" in one.out
    assert status.code == 2
    assert any("clock is 400 days" in text for text in json.loads(status.out)["errors"])
    assert pair(serving) == kept
    assert fingerprint(serving) == before


def test_a_renewal_happens_when_it_is_due_and_not_before(serving: Project) -> None:
    before = fingerprint(serving)

    assert "is not due" in serving.must("cert-renew")
    assert fingerprint(serving) == before

    names = f"{NAME}, www.shop.example.org, new.shop.example.org"
    said = serving.must("cert-renew", CERT_NAMES=names)
    assert "new.shop.example.org is not among its names" in said
    assert fingerprint(serving) != before
    assert "CERT_NAMES changed" in serving.must("deploy"), "back to the names in .env"


@pytest.mark.slow
def test_only_the_apps_user_can_read_the_key_file_of_any_release(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    key = f"/var/lib/{app}/current/tls/server.key.enc"
    as_before = f"chown root:root {key}; chmod 0644 {key}"  # as an older corefab left it
    look = f"stat -Lc '%a %U %G' {key} /var/lib/{app}/releases/*/tls/server.key.enc | sort -u"

    serving.ssh(as_before)
    serving.must("cert-rotate-https")
    assert serving.ssh(look) == f"400 {app} {app}\n"

    serving.ssh(as_before)
    serving.must("deploy", "--force")
    assert serving.ssh(look) == f"400 {app} {app}\n"
    refused = serving.ssh(
        f"setpriv --reuid 65534 --regid 65534 --clear-groups cat {key} 2>&1 || true"
    )
    assert "Permission denied" in refused


@pytest.mark.slow
def test_the_password_of_the_key_changes_and_changes_back(serving: Project) -> None:
    before, started, kept = fingerprint(serving), invocation(serving), pair(serving)
    other = {"CERT_PASSWORD": "another password"}
    change = ("cert-rotate-https", "--password-only")

    said = serving.fab(*change, **other, CERT_PASSWORD_OLD="neither")
    assert said.code == 1
    assert "the password does not open this key" in said.out
    assert pair(serving) == kept

    serving.must(*change, **other, CERT_PASSWORD_OLD=CERT_PASSWORD)
    assert pair(serving)["server.key.enc"] != kept["server.key.enc"]
    assert pair(serving)["server.crt"] == kept["server.crt"]
    assert "nothing to do" in serving.must("deploy", **other)

    serving.must(*change, CERT_PASSWORD_OLD="another password")
    assert fingerprint(serving) == before
    assert invocation(serving) == started


@pytest.fixture(scope="module")
def pebble(
    deployed: Project, tmp_path_factory: pytest.TempPathFactory, program: Program
) -> Iterator[Pebble]:
    """An authority that visits the node for every name."""
    folder = tmp_path_factory.mktemp("pebble")
    moods = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "20"}
    with running(folder, program, moods, visits=(deployed.node.address, 80)) as found:
        yield found


def acme(pebble: Pebble, **more: str) -> dict[str, str]:
    return {
        "CERT_FROM": "acme",
        "ACME_DIRECTORY": pebble.server.directory,
        "ACME_ROOT": str(pebble.server.trust),
        "ACME_TERMS_AGREED": "true",
        **more,
    }


def test_the_node_proves_its_names_itself_for_an_issue_and_a_renewal(
    serving: Project, pebble: Pebble
) -> None:
    before, started = fingerprint(serving), invocation(serving)
    settings = acme(pebble)

    with crowding(serving.node.address, NAME) as visits:
        serving.must("cert-rotate-https", **settings)
    first = fingerprint(serving)
    assert "is not due" in serving.must("cert-renew", **settings)
    said = serving.must("cert-renew", "--force", **settings)

    assert visits.failures == []
    assert len({before, first, fingerprint(serving)}) == 3
    assert "port 80 answers for shop.example.org" in said
    assert invocation(serving) == started
    accounts = list((serving.folder / "certs/material/acme").iterdir())
    assert len(accounts) == 1
    assert b"ENCRYPTED PRIVATE KEY" in accounts[0].read_bytes()
    assert closed(serving)
    serving.must("cert-rotate-https")


def closed(project: Project) -> bool:
    """Tell whether nothing of a challenge is left on the node."""
    left = project.ssh(
        "systemctl is-active corefab-challenge || true; nft list ruleset; ls /run/corefab"
    )
    return (
        "inactive" in left and "corefab_challenge" not in left and "dport 80 redirect" not in left
    )


HOOK = """#!/usr/bin/env python3
import json, sys, urllib.request
verb, record, value = sys.argv[2:]
with open(sys.argv[1] + "/log", "a") as log:
    log.write(f"{verb} {record} {value}\\n")
path, body = ("set-txt", {"value": value}) if verb == "add" else ("clear-txt", {})
data = json.dumps({"host": record + ".", **body}).encode()
urllib.request.urlopen(f"MANAGEMENT/{path}", data).close()
"""


def test_a_wildcard_is_proven_by_a_command_that_writes_records(
    serving: Project, pebble: Pebble, tmp_path: Path
) -> None:
    hook = tmp_path / "hook"
    hook.write_text(HOOK.replace("MANAGEMENT", pebble.dns_management))
    hook.chmod(0o755)
    # Another account: pebble takes one earlier proof in a hundred, whatever it is configured to do.
    for account in (serving.folder / "certs/material/acme").glob("*"):
        account.unlink()
    settings = acme(
        pebble,
        ACME_CHALLENGE="dns-01",
        ACME_DNS_COMMAND=f"{hook} {tmp_path}",
        CERT_NAMES=f"{NAME}, *.{NAME}",
    )

    serving.must("cert-rotate-https", **settings)

    places = json.loads(serving.fab("cert-status", "--json", **settings).out)["places"]
    assert {tuple(sorted(place["names"])) for place in places} == {(f"*.{NAME}", NAME)}
    steps = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    added = {value for verb, record, value in steps if verb == "add"}
    removed = {value for verb, record, value in steps if verb == "remove"}
    assert {record for _, record, _ in steps} == {f"_acme-challenge.{NAME}"}
    assert len(added) == 2
    assert added == removed
    serving.must("cert-rotate-https")


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["down", "rubbish", "unreachable", "hook"])
def test_an_authority_in_trouble_changes_nothing(
    serving: Project, pebble: Pebble, trouble: str
) -> None:
    before, kept = fingerprint(serving), pair(serving)
    settings = (
        acme(pebble)
        | {
            "down": {"ACME_DIRECTORY": "https://127.0.0.1:1/dir"},
            "rubbish": {"ACME_DIRECTORY": f"{pebble.dns_management}/dir"},
            # Names that the authority finds elsewhere than at this node.
            "unreachable": {"CERT_NAMES": "127.0.0.1"},
            "hook": {"ACME_CHALLENGE": "dns-01", "ACME_DNS_COMMAND": "echo no zone; exit 3; :"},
        }[trouble]
    )

    said = serving.fab("cert-rotate-https", **settings)

    assert said.code == 1
    assert "what to do:" in said.out
    assert "Traceback" not in said.out
    assert pair(serving) == kept
    assert fingerprint(serving) == before
    assert closed(serving)


@pytest.fixture
def proving(serving: Project) -> Iterator[Project]:
    """A node that answers a challenge; afterwards, nothing of that is left on it."""
    body = script_text("challenge")
    serving.ssh(f"cat >/run/challenge.sh <<'SCRIPT'\n{body}\nSCRIPT")
    run = """script=$(cat /run/challenge.sh) bash -c 'eval "$script"' challenge"""
    serving.ssh(f"printf proof | {run} show token_1")
    yield serving
    serving.ssh(f"{run} hide token_1; rm /run/challenge.sh")
    assert closed(serving)


def test_port_80_leads_visitors_on_while_a_name_is_proven(proving: Project) -> None:
    def ask(path: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(proving.node.address, 80, timeout=20)
        connection.request("GET", path, headers={"Host": NAME})
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        return answer.status, page, answer.getheader("Location", "")

    assert ask("/.well-known/acme-challenge/token_1")[:2] == (200, "proof")
    assert ask("/.well-known/acme-challenge/token_2")[0] == 307
    assert ask("/a?b=c")[::2] == (307, f"https://{NAME}/a?b=c")
    assert ask("/../../etc/shadow")[0] in {307, 404}


def test_no_other_user_can_listen_where_challenges_are_answered(proving: Project) -> None:
    table = proving.ssh("nft list table inet corefab_challenge")
    port = table.partition("redirect to :")[2].split()[0]

    said = proving.ssh(
        "setpriv --reuid 12345 --regid 12345 --clear-groups"
        f" socat -u TCP-LISTEN:{port},bind=127.0.0.2 - 2>&1 || true"
    )

    assert "Permission denied" in said


@contextmanager
def dripping(addresses: list[str], many: int) -> Iterator[list[socket.socket]]:
    """Hold connections to port 80 of a node open, by a header line a second on each."""
    held = [
        socket.create_connection((address, 80), timeout=60)
        for address in addresses
        for _ in range(many)
    ]
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(1):
            for one in held:
                with suppress(OSError):
                    one.sendall(b"X: y\r\n")

    thread = threading.Thread(target=drip)
    try:
        for one in held:
            one.sendall(b"GET / HTTP/1.1\r\n")
        thread.start()
        yield held
    finally:
        stop.set()
        thread.join()
        for one in held:
            one.close()


def test_slow_connections_of_one_source_do_not_keep_the_authority_from_its_answer(
    proving: Project,
) -> None:
    node = lifecycle.find(proving.settings["PROJECT"])
    assert node
    ask = "curl -sS --max-time 30 http://127.0.0.1:880/.well-known/acme-challenge/token_1"

    with dripping([node.address, node.address6], many=64):
        assert proving.ssh(ask) == "proof"


def test_all_addresses_of_the_node_itself_are_one_source_of_requests(proving: Project) -> None:
    node = lifecycle.find(proving.settings["PROJECT"])
    assert node
    where = [f"TCP4:127.0.0.1:880,bind=127.0.{a}.{b}" for a in range(8) for b in range(1, 9)]
    where += [f"TCP4:{node.address}:880", f"TCP6:[{node.address6}]:880", "TCP6:[::1]:880"]
    crowd = "".join(f'socat -u "EXEC:sleep 60" {one} & ' for one in where for _ in range(2))
    proving.ssh(f"systemd-run -q --unit=crowd bash -c '{crowd} wait'")

    connection = http.client.HTTPConnection(node.address, 80, timeout=30)
    connection.request("GET", "/.well-known/acme-challenge/token_1")
    assert connection.getresponse().read() == b"proof"

    proving.ssh("systemctl stop crowd")


@pytest.mark.slow
@pytest.mark.parametrize("request_text", [b"", b"GET " + b"a" * 100_000, b"GET / HTTP/1.1\r\n"])
def test_a_request_without_an_end_is_ended(proving: Project, request_text: bytes) -> None:
    with dripping([proving.node.address], many=1) as (connection,), suppress(ConnectionError):
        connection.sendall(request_text)
        assert connection.recv(1) == b""


def test_two_rotations_at_a_time_wait_for_each_other(serving: Project) -> None:
    first, second = (serving.start("cert-rotate-https") for _ in range(2))

    said = [process.communicate(timeout=240)[0] for process in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], said
    assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200
    fingerprint(serving)


@pytest.mark.slow
def test_a_rotation_killed_at_any_step_is_put_right_by_the_next_command(
    serving: Project,
) -> None:
    for line in ("certificate staged", "SIGHUP sent", "is healthy"):
        process = serving.start("cert-rotate-https")
        assert process.stdout
        for text in process.stdout:
            if line in text:
                break
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()
        assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200, line

        serving.must("cert-renew")
        fingerprint(serving)
