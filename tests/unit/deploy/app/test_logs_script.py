"""The script on a node prints the app's lines, whatever bytes are in them and however they came."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.program
SCRIPT = Path(__file__).parents[4] / "deploy/app/scripts/logs.sh"
Entry = dict[str, object]


def line(message: object, *, partial: bool = False, stream: str = "6") -> Entry:
    """Make an entry of systemd's journal as conmon writes it."""
    entry: Entry = {"CONTAINER_NAME": "shop-www-blue", "_COMM": "conmon", "PRIORITY": stream}
    entry["MESSAGE"] = message
    return entry | ({"CONTAINER_PARTIAL_MESSAGE": "true"} if partial else {})


@pytest.fixture
def log(program: Callable[[str], str], tmp_path: Path) -> Callable[..., bytes]:
    """Run the script with a journal of these entries; return what it printed."""
    (tmp_path / "releases/r1").mkdir(parents=True)
    (tmp_path / "releases/r1/ran").write_text("blue 1\n")
    text = f"""set -euo pipefail
        home_of() {{ echo {tmp_path}; }}
        current_of() {{ echo r1; }}
        journalctl() {{ cat {tmp_path}/journal; }}
        . {SCRIPT}"""

    def run(*entries: Entry, lines: int = 50) -> bytes:
        (tmp_path / "journal").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        done = subprocess.run(
            [program("bash"), "-c", text, "logs", "shop-www", str(lines)],
            capture_output=True,
            check=True,
        )
        assert not done.stderr
        return done.stdout

    return run


def test_a_line_with_any_byte_is_printed_and_so_are_those_after_it(
    log: Callable[..., bytes],
) -> None:
    odd = [*b"a\0b", 0xFF]

    assert log(line("one"), line(odd), line(r"c:\new"), line("é\n")) == (
        b"one\na\0b\xff\nc:\\new\n\xc3\xa9\n"
    )


def test_a_line_that_came_in_parts_is_one(log: Callable[..., bytes]) -> None:
    parts = (line("a" * 8192, partial=True), line("b" * 8192, partial=True), line("c"))

    assert log(line("before"), *parts, lines=1) == b"a" * 8192 + b"b" * 8192 + b"c\n"


def test_a_letter_that_was_cut_in_two_is_whole(log: Callable[..., bytes]) -> None:
    assert log(line([97, 0xC3], partial=True), line([0xA9, 98])) == "aéb\n".encode()


def test_a_line_end_that_came_alone_makes_no_empty_line(log: Callable[..., bytes]) -> None:
    unbuffered = (line("one", partial=True), line(""), line("two", partial=True), line("\n"))

    assert log(*unbuffered, line(""), line("three")) == b"one\ntwo\n\nthree\n"


def test_parts_of_both_streams_are_not_mixed(log: Callable[..., bytes]) -> None:
    entries = (line("o", partial=True), line("e", partial=True, stream="3"), line("ut"))

    assert log(*entries, line("rr", stream="3")) == b"out\nerr\n"


def test_a_line_without_an_end_is_printed_too(log: Callable[..., bytes]) -> None:
    assert log(line("one"), line("password: ", partial=True)) == b"one\npassword: \n"


def test_a_line_that_does_not_end_is_printed_in_pieces(log: Callable[..., bytes]) -> None:
    said = log(*(line("x" * 8192, partial=True) for _ in range(20)))

    assert said.replace(b"\n", b"") == b"x" * 8192 * 20
    assert max(map(len, said.split(b"\n"))) == 65536


def test_podmans_events_and_conmons_warnings_are_left_out_and_podmans_errors_are_not(
    log: Callable[..., bytes],
) -> None:
    entries = (
        {"_COMM": "podman", "MESSAGE": "container start"},
        {"MESSAGE": "container stop, of a process that has ended", "PODMAN_EVENT": "stop"},
        {"_COMM": "podman", "MESSAGE": "Error: no such image"},
        {"_COMM": "conmon", "MESSAGE": "conmon <nwarn>"},
        {"_COMM": "systemd", "MESSAGE": "Started."},
        {"_COMM": "systemd"},
        {"_COMM": "app", "MESSAGE": "x"},
    )

    assert log(*entries) == b"Error: no such image\nStarted.\nx\n"
