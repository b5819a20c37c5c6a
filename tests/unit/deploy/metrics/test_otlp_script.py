"""A node sends its journal and its metrics to an endpoint of OpenTelemetry, each line once."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.node.script import script_text
from tests.unit.deploy.metrics.journal import Journal, cursors, journal_writer
from tests.unit.deploy.metrics.receiver import CUT, HALF, Receiver, attributes, certified, listening

pytestmark = pytest.mark.program
STATE = "var/lib/corefab/otlp/cursor"
SEALED = "var/lib/shop-www/current/credentials/otlp_headers"
TOKEN = "t0ken,with=odd%signs"
HEADERS = "Authorization=Bearer%20t0ken%2Cwith%3Dodd%25signs, x-team=shop"
PROM = """# HELP corefab_boot_timestamp_seconds When the machine started.
# TYPE corefab_boot_timestamp_seconds gauge
corefab_boot_timestamp_seconds 1000
# HELP corefab_cpu_seconds_total Processor time, as \\\\ and \\n.
# TYPE corefab_cpu_seconds_total counter
corefab_cpu_seconds_total{mode="user"} 12.5
# TYPE corefab_changes_total counter
corefab_changes_total{app="shop-www",what="a\\"b\\\\c\\n}"} CHANGES
# TYPE corefab_memory_size_bytes gauge
corefab_memory_size_bytes 4000000000
# TYPE jobs_seconds histogram
jobs_seconds_bucket{le="+Inf"} 2
jobs_seconds_sum -1.5e-3
jobs_seconds_count 2
jobs_left NaN
jobs_most +Inf
corefab_metrics_timestamp_seconds AT
# EOF
"""


@dataclass(frozen=True)
class Machine:
    """A folder with the files of a machine, and programs that stand in for its own."""

    root: Path
    bash: str
    journal: Journal

    def command(self, *words: str) -> list[str]:
        text = script_text("otlp")
        for folder in ("/etc/corefab", "/run/corefab", "/var/lib"):
            text = text.replace(folder, f"{self.root}{folder}")
        text = text.replace("/proc/self/autogroup", "/dev/null")
        text = text.replace("/var/log/journal", str(self.root / "journal"))
        return [self.bash, "-c", text, "otlp", *words]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

    def run(self, *, well: bool = True) -> str:
        """Send once; return what was told of it."""
        done = subprocess.run(
            self.command(), check=False, capture_output=True, text=True, env=self.environment
        )
        assert done.stdout == ""
        assert (done.returncode == 0) == well, done.stderr
        if well:
            assert done.stderr == ""
        return done.stderr

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def set(self, url: str, **others: object) -> None:
        own = {"endpoint": url, "send": ["logs", "metrics"], **others}
        self.write("etc/corefab/otlp/settings.json", json.dumps(own))

    def stand_in(self, name: str, text: str) -> None:
        self.write(f"bin/{name}", f"#!/bin/sh\n{text}\n")
        (self.root / "bin" / name).chmod(0o755)

    @property
    def arguments(self) -> str:
        return (self.root / "arguments").read_text()


@pytest.fixture(scope="session")
def writer(program: Callable[[str], str]) -> Path:
    for name in ("apt-get", "journalctl"):
        program(name)
    return journal_writer()


@pytest.fixture
def machine(tmp_path: Path, program: Callable[[str], str], writer: Path) -> Machine:
    for name in ("jq", "curl", "journalctl"):
        program(name)
    made = Machine(tmp_path, program("bash"), Journal(tmp_path / "journal/id", writer))
    (tmp_path / "journal/id").mkdir(parents=True)
    journalctl = f'exec {program("journalctl")} --directory={tmp_path}/journal/id "$@"'
    made.stand_in("journalctl", journalctl)
    log = f"{{ printf '%s ' \"$@\"; tr '\\0' ' ' </proc/self/environ; }} >>{tmp_path}/arguments"
    made.stand_in("curl", f'{log}\nexec {program("curl")} "$@"')
    made.stand_in("systemd-creds", 'cat "$3"')
    made.stand_in("podman", f"touch {tmp_path}/podman")
    return made


@pytest.fixture
def receiver(machine: Machine) -> Iterator[Receiver]:
    with listening(Receiver()) as found:
        machine.set(found.url)
        yield found


def test_lines_of_the_journal_arrive_as_logs_once(machine: Machine, receiver: Receiver) -> None:
    slot = {"_SYSTEMD_UNIT": "shop-www-blue.service", "CONTAINER_NAME": "shop-www-blue"}
    machine.journal.write(
        {"MESSAGE": "from the app", "PRIORITY": "3", "_PID": "7", "_COMM": "conmon", **slot},
        {"MESSAGE": "Started it.", "_PID": "1", "_SYSTEMD_UNIT": "init.scope",
         "UNIT": "shop-www-blue.service"},
        {"MESSAGE": "disk", "_TRANSPORT": "kernel", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "kernel"},
        {"MESSAGE": "login", "_SYSTEMD_UNIT": "sshd.service", "SYSLOG_IDENTIFIER": "sshd"},
        {"MESSAGE": "plain", "PRIORITY": "nine"},
    )  # fmt: skip

    machine.run()
    machine.run()

    assert len(receiver.accepted("logs")) == 1
    found = {one["body"]["stringValue"]: one for one in receiver.records}
    assert {text: one["resource"]["service.name"] for text, one in found.items()} == {
        "from the app": "shop-www", "Started it.": "shop-www",
        "disk": "kernel", "login": "sshd", "plain": "journal",
    }  # fmt: skip
    first = found["from the app"]
    assert (first["severityNumber"], first["severityText"]) == (17, "err")
    assert (found["plain"]["severityNumber"], found["disk"]["severityNumber"]) == (9, 13)
    assert first["timeUnixNano"] == f"{machine.journal.began + 1}000"
    assert first["process.pid"] == "7"
    assert first["corefab.slot"] == "blue"
    assert first["resource"]["host.name"] == os.uname().nodename
    assert machine_id() not in str(receiver.seen)
    ids = [one["log.record.uid"] for one in receiver.records]
    assert len(set(ids)) == 5
    _, _, headers, _ = receiver.seen[0]
    assert headers["Content-Type"] == "application/json"
    assert not (machine.root / "podman").exists()


def machine_id() -> str:
    file = Path("/etc/machine-id")
    return file.read_text().strip() if file.exists() else "no id"


def test_after_an_outage_every_line_arrives_once(machine: Machine, receiver: Receiver) -> None:
    told = []
    for number, answer in enumerate((500, 503, 502, 429, 401, 404, CUT, 503, CUT, 504) * 2):
        machine.journal.write(f"{number} a", f"{number} b")
        if number == 12:
            machine.journal.rotate()
        receiver.answers = [answer]
        told.append(machine.run(well=False))
    assert receiver.texts == []

    machine.run()
    machine.run()

    assert receiver.texts == [f"{number} {half}" for number in range(20) for half in "ab"]
    assert "<4>logs: not sent to http://127.0.0.1:" in told[1]
    assert "HTTP 503" in told[1]
    assert "HTTP 000 curl: (52)" in told[6].replace("\n", " ")


def test_an_endpoint_that_is_not_there_gets_every_line_later(
    machine: Machine,
) -> None:
    receiver = Receiver()
    with listening(receiver):
        machine.set(receiver.url)
        machine.journal.write("before")
        machine.run()
    machine.journal.write("during")
    assert "logs: not sent to" in machine.run(well=False)
    with listening(receiver):
        machine.run()

    assert receiver.texts == ["before", "during"]


def test_an_answer_that_is_cut_after_its_status_counts(
    machine: Machine, receiver: Receiver
) -> None:
    machine.journal.write("one")
    receiver.answers = [HALF]

    machine.run()
    machine.run()

    assert receiver.texts == ["one"]


def test_many_lines_go_in_bounded_requests(machine: Machine, receiver: Receiver) -> None:
    lines = [f"{number} {'x' * 2000 if number < 900 else ''}" for number in range(1600)]
    machine.journal.write(*lines)

    machine.run()

    assert receiver.texts == lines
    sizes = [len(body) for _, _, _, body in receiver.seen]
    assert max(sizes) < 2_000_000
    counts = [len(one["resourceLogs"][0]["scopeLogs"][0]["logRecords"]) for one in
              receiver.accepted("logs")]  # fmt: skip
    assert max(counts) == 500
    assert len(counts) < 8


def test_lines_that_the_journal_has_no_more_are_told_as_a_gap(
    machine: Machine, receiver: Receiver
) -> None:
    machine.journal.write("1", "2", "3")
    machine.run()
    machine.journal.write("4", "5")
    machine.journal.rotate()
    machine.journal.write("6", "7")
    machine.journal.forget()

    machine.run()
    machine.run()

    gap = "some lines are missing here: the journal had them no more"
    assert sorted(receiver.texts) == ["1", "2", "3", "6", "7", gap]
    assert next(one for one in receiver.records if one["body"]["stringValue"] == gap)[
        "log.record.uid"
    ].startswith("gap-")

    machine.journal.write("8")
    machine.run()
    assert receiver.texts[-1] == "8"
    assert len(receiver.texts) == 7


@pytest.mark.parametrize(("kept", "missing"), [("5", "3"), ("2", "")])
def test_lines_that_are_missing_are_counted(
    machine: Machine, receiver: Receiver, kept: str, missing: str
) -> None:
    machine.journal.write("1")
    machine.run()
    machine.journal.write("2", "3", "4", "5")
    shown = machine.root / "bin/journalctl"
    text = shown.read_text().replace("exec ", "").rstrip()
    shown.write_text(f"{text} | grep -A9 'MESSAGE\":\"{kept}'\n")

    machine.run()

    gaps = [one.split()[0] for one in receiver.texts if "missing" in one]
    assert gaps == ([missing] if missing else [])
    assert receiver.texts[-1] == "5"


@pytest.mark.parametrize("damage", ["", "\0\0\0", "s=1;i=2", "x" * 5000, "--rotate"])
def test_a_damaged_note_of_what_was_sent_is_no_end(
    machine: Machine, receiver: Receiver, damage: str
) -> None:
    machine.journal.write("1")
    machine.run()
    machine.write(STATE, damage)
    machine.journal.began += 3_000_000
    machine.journal.write("2")
    then = machine.journal.began / 1e6 - 1
    os.utime(machine.root / STATE, (then, then))

    machine.run()
    machine.run()

    assert sorted(receiver.texts)[:2] == ["1", "2"]
    assert len(receiver.texts) == 3


def test_what_came_before_the_first_answer_is_sent_however_late(
    machine: Machine, receiver: Receiver
) -> None:
    machine.journal.began -= 3_000_000_000
    machine.journal.write("1")
    receiver.answers, receiver.headers = [503], {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert "HTTP 503" in machine.run(well=False)
    state = machine.root / STATE
    then = state.stat().st_mtime - 7200
    os.utime(state, (then, then))
    machine.journal.began -= 3_600_000_000
    machine.journal.rotate()
    machine.journal.write("0")

    machine.run()

    assert sorted(receiver.texts) == ["0", "1"]


def test_a_full_disk_sends_no_line_twice(machine: Machine, receiver: Receiver) -> None:
    machine.stand_in("sync", "exit 1")
    machine.journal.write("1")
    with subprocess.Popen(machine.command("1"), env=machine.environment) as process:
        try:
            until(lambda: receiver.texts == ["1"])
            machine.journal.write("2")
            until(lambda: "2" in receiver.texts)
        finally:
            process.terminate()

    assert receiver.texts == ["1", "2"]
    assert (machine.root / STATE).read_text() == "start\n"


def test_a_journal_without_lines_sends_nothing(machine: Machine, receiver: Receiver) -> None:
    machine.run()
    machine.journal.write("1")
    machine.run()
    machine.journal.rotate()
    machine.journal.forget()

    machine.run()

    assert receiver.texts == ["1"]


def test_the_first_lines_are_those_of_the_last_hour(machine: Machine, receiver: Receiver) -> None:
    machine.journal.began -= 3_700_000_000
    machine.journal.write("old")
    machine.journal.rotate()
    machine.journal.began += 3_700_000_000
    machine.journal.write("new")

    machine.run()

    assert receiver.texts == ["new"]


HOSTILE: dict[str, tuple[str | bytes, str | None]] = {
    "quotes": ('"}]} \\ {{@BLANK@}} $(id) `id` %s', None),
    "colour": ("\x1b[31mred\x1b[0m ü\u202e", None),
    "umlauts": ("\x1bäöü€😀", None),
    "latin": (b"caf\xe9 \xff\x00\x01", "caf\\xe9 \\xff\\x00\x01"),
    "cut": (b"\x1b a \xe2\x82", "\x1b a \\xe2\\x82"),
    "overlong": (b"\xc0\xaf \xe0\x80\xaf", "\\xc0\\xaf \\xe0\\x80\\xaf"),
    "overlong of four": (b"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"),
    "surrogate": (b"\xed\xa0\x80\xf4\x90\x80\x80", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"),
    "lines": ("one\ntwo\n", None),
    "json": ('{"level": "info", "__CURSOR": "s=1"}', None),
    "empty": ("", None),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_lines_of_any_bytes_arrive_escaped(machine: Machine, receiver: Receiver, name: str) -> None:
    line, expected = HOSTILE[name]
    hostile = {"_COMM": line, "SYSLOG_IDENTIFIER": line, "CONTAINER_NAME": line, "PRIORITY": line}
    machine.journal.write({"MESSAGE": line}, {"MESSAGE": "after", **hostile})

    machine.run()

    text = str(line) if expected is None else expected
    assert sorted(receiver.texts) == sorted([text, "after"])


def test_long_lines_are_cut_and_one_of_many_megabytes_is_told(
    machine: Machine, receiver: Receiver
) -> None:
    machine.journal.write("first", "ü" * 70_000, "x" * 3_000_000, b"\xff" * 800_000, "last")

    machine.run()
    machine.run()

    left_out = "(a line of more than 1048576 bytes, which is not sent)"
    assert receiver.texts == ["first", "ü" * 65536 + "… (cut)", left_out, left_out, "last"]
    assert len({one["log.record.uid"] for one in receiver.records}) == 5


def test_a_value_that_is_there_twice_is_joined(machine: Machine, receiver: Receiver) -> None:
    machine.journal.write("x")
    cursor = cursors(machine.journal.folder)[0]
    entry = {
        "__CURSOR": cursor, "__REALTIME_TIMESTAMP": "1", "MESSAGE": ["a", [98, 255], "c"],
        "_COMM": None, "PRIORITY": ["3", "4"],
    }  # fmt: skip
    (machine.root / "entry").write_text(json.dumps(entry) + "\n")
    machine.stand_in("journalctl", f"cat {machine.root}/entry")

    machine.run()
    machine.run()

    assert receiver.texts == ["a\nb\\xff\nc"]


def test_a_line_that_is_refused_costs_no_other(machine: Machine, receiver: Receiver) -> None:
    lines = [f"line {number}" for number in range(40)]
    machine.journal.write(*lines[:23], "poison", *lines[23:])
    receiver.refuses = "poison"

    told = subprocess.run(
        machine.command(), check=True, capture_output=True, text=True, env=machine.environment
    ).stderr

    refused = "(a line that the endpoint refused: HTTP 400)"
    assert receiver.texts == [*lines[:23], refused, *lines[23:]]
    assert told.count("was sent without its text") == 1
    receiver.seen.clear()
    machine.run()
    assert receiver.texts == []


def test_an_endpoint_that_refuses_everything_gets_everything_later(
    machine: Machine, receiver: Receiver
) -> None:
    machine.journal.write("1", "2", "3")
    receiver.answers = [400] * 50

    assert "HTTP 400" in machine.run(well=False)
    assert len(receiver.seen) < 8
    receiver.answers.clear()
    machine.run()

    assert receiver.texts == ["1", "2", "3"]


def test_the_token_goes_by_standard_input_alone(machine: Machine, receiver: Receiver) -> None:
    machine.set(receiver.url, app="shop-www")
    machine.write(SEALED, HEADERS + "\n")
    machine.journal.write("1")

    machine.run()

    _, _, headers, _ = receiver.seen[0]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["x-team"] == "shop"
    assert "/otlp/v1/logs" in machine.arguments
    assert "t0ken" not in machine.arguments
    left = [
        path for path in machine.root.rglob("*") if path.is_file() and "arguments" not in path.name
    ]
    assert [path for path in left if b"t0ken" in path.read_bytes()] == [machine.root / SEALED]


@pytest.mark.parametrize(
    "sealed",
    ["token", "a b=c", "=x", "Authorization=a%0d%0aX-Evil: 1", "A=%", "A=é", "A=b,,C=d", "@/etc/x"],
)
def test_headers_that_are_none_are_not_sent(
    machine: Machine, receiver: Receiver, sealed: str
) -> None:
    machine.set(receiver.url, app="shop-www")
    machine.write(SEALED, sealed)
    machine.journal.write("1")

    told = machine.run(well=False)

    assert receiver.seen == []
    assert "correct OTLP_HEADERS" in told
    assert sealed not in told


def test_a_credential_that_cannot_be_opened_is_told(machine: Machine, receiver: Receiver) -> None:
    machine.set(receiver.url, app="shop-www")
    machine.journal.write("1")

    assert "run `fab creds-seal`" in machine.run(well=False)
    machine.write(SEALED, HEADERS)
    machine.stand_in("systemd-creds", "exit 1")
    assert "run `fab creds-seal`" in machine.run(well=False)

    assert receiver.seen == []


def test_a_private_authority_is_trusted_where_there_is_one(machine: Machine) -> None:
    root, context = certified(machine.root, "127.0.0.1")
    machine.journal.write("1")

    with listening(Receiver(), context) as receiver:
        machine.set(receiver.url.replace("http:", "https:"))
        assert "certificate" in machine.run(well=False)
        machine.write("etc/corefab/otlp/root.crt", root.read_text())
        machine.run()

    assert receiver.texts == ["1"]


def test_what_an_endpoint_did_not_take_is_told(machine: Machine, receiver: Receiver) -> None:
    receiver.body = b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no\x1b[2J"}}'
    machine.journal.write("1")

    done = subprocess.run(
        machine.command(), check=True, capture_output=True, text=True, env=machine.environment
    )

    assert '"errorMessage":"no [2J"' in done.stderr
    assert "\x1b" not in done.stderr


def test_metrics_arrive_with_their_types(machine: Machine, receiver: Receiver) -> None:
    machine.set(receiver.url, send=["metrics"])
    machine.journal.write("1")
    for at, changes in (("2000", "5"), ("2015", "7"), ("2015", "7"), ("2030", "1"), ("2045", "3")):
        text = PROM.replace("AT", at).replace("CHANGES", changes)
        machine.write("run/corefab/metrics/corefab.prom", text)
        machine.run()

    assert receiver.accepted("logs") == []
    # Each run is a new process, which knows since when a counter counts, not what was sent last.
    first, *_, last = receiver.accepted("metrics")
    assert attributes(first["resourceMetrics"][0]["resource"])["service.name"] == "corefab"
    found = {one["name"]: one for one in first["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
    cpu = found["corefab_cpu_seconds_total"]
    assert cpu["description"] == "Processor time, as \\ and \n."
    assert cpu["unit"] == "s"
    assert (cpu["sum"]["aggregationTemporality"], cpu["sum"]["isMonotonic"]) == (2, True)
    (point,) = cpu["sum"]["dataPoints"]
    assert attributes(point) == {"mode": "user"}
    assert (point["asDouble"], point["timeUnixNano"]) == (12.5, "2000000000000")
    assert point["startTimeUnixNano"] == "1000000000000"
    (size,) = found["corefab_memory_size_bytes"]["gauge"]["dataPoints"]
    assert size["asDouble"] == 4e9
    assert "startTimeUnixNano" not in size
    assert found["jobs_seconds_bucket"]["sum"]["dataPoints"][0]["asDouble"] == 2
    assert found["jobs_seconds_sum"]["gauge"]["dataPoints"][0]["asDouble"] == -0.0015
    assert found["jobs_left"]["gauge"]["dataPoints"][0]["asDouble"] == "NaN"
    assert found["jobs_most"]["gauge"]["dataPoints"][0]["asDouble"] == "Infinity"
    (change,) = found["corefab_changes_total"]["sum"]["dataPoints"]
    assert attributes(change) == {"app": "shop-www", "what": 'a"b\\c\n}'}
    assert [since(one) for one in receiver.accepted("metrics")] == [2000, 2000, 2000, 2015, 2015]
    assert since(last) == 2015


def since(request: dict[str, list[dict[str, list[dict[str, list[object]]]]]]) -> int:
    text = json.dumps(request)
    after = text[text.index('"corefab_changes_total"') :]
    return int(after.partition('"startTimeUnixNano": "')[2].partition('"')[0]) // 10**9


def test_when_all_was_sent_is_a_metric(machine: Machine, receiver: Receiver) -> None:
    more = machine.root / "run/corefab/metrics.d"
    more.mkdir(parents=True)
    machine.journal.write("1")
    receiver.answers = [503, 200]
    machine.run(well=False)
    assert 'signal="logs"' not in (more / "otlp.prom").read_text()

    machine.run()

    assert 'corefab_otlp_timestamp_seconds{signal="logs"} 1' in (more / "otlp.prom").read_text()


def test_it_goes_on_tells_a_state_once_and_ends_with_what_it_sends(
    machine: Machine, receiver: Receiver
) -> None:
    receiver.answers = [503] * 3
    machine.journal.write("1")
    process = subprocess.Popen(
        machine.command("1"), env=machine.environment, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            until(lambda: receiver.texts == ["1"])
            machine.journal.write("2")
            until(lambda: receiver.texts == ["1", "2"])
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        told = process.stderr.read().splitlines()

    assert process.returncode == 0
    assert [line[:7] for line in told] == ["<4>logs", "<6>logs"]
    assert len(receiver.seen) == 5


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_endpoint_is_left_alone_as_long_as_it_asks(machine: Machine, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [503], {"Retry-After": "4"}
    machine.journal.write("1")
    began = time.monotonic()
    with subprocess.Popen(machine.command("1"), env=machine.environment) as process:
        try:
            until(lambda: receiver.texts == ["1"])
        finally:
            process.terminate()

    assert time.monotonic() - began > 3
    assert len(receiver.seen) == 2
