"""A program's output is returned, or its failure explained."""

import os
import re
from pathlib import Path

import pytest

from deploy.workstation.programs import ProgramError, Start, run

USUAL = Start()
pytestmark = pytest.mark.program


def refused(*words: str, seconds: float | None = None, start: Start = USUAL) -> ProgramError:
    with pytest.raises(ProgramError) as caught:
        run(words, doing="the thing", hint="look there", seconds=seconds, start=start)
    return caught.value


def test_stdout_is_returned_and_stdin_is_empty() -> None:
    assert run(["cat"]) == b""
    assert run(["cat"], start=Start(stdin=b"\xff\0")) == b"\xff\0"


def test_a_program_gets_folder_umask_and_descriptors(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"given")
    os.close(writer)
    start = Start(folder=tmp_path, umask=0o077, descriptors=(reader,))

    assert run(["sh", "-c", f"touch file; cat /proc/self/fd/{reader}"], start=start) == b"given"
    os.close(reader)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_output_can_be_left_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["echo", "hello"], start=Start(shown=True)) == b""
    assert capfd.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    ("script", "message", "code"),
    [
        ("echo shown; echo a >&2; echo 'Error: b' >&2; exit 3", "failed (exit code 3): b", 3),
        ("exit 4", "failed (exit code 4)", 4),
        ("kill -KILL $$", "was killed by signal 9", -9),
    ],
)
def test_a_failure_is_explained_by_its_kind(script: str, message: str, code: int) -> None:
    error = refused("sh", "-c", script)

    assert error.message == f"the thing {message}"
    assert (error.code, error.hint) == (code, "look there")


def test_several_lines_of_an_error_are_listed() -> None:
    error = refused("sh", "-c", "printf '%s\\n' a b c >&2; exit 1", start=Start(lines=2))

    assert error.message == "the thing failed (exit code 1):\n  b\n  c"


def test_a_program_that_is_not_installed_is_named() -> None:
    error = refused("corefab-no-such-program")

    assert error.message == "corefab-no-such-program is not installed here"
    assert (error.hint, error.code) == ("install corefab-no-such-program", None)


def test_a_file_that_is_not_a_program_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")

    assert (
        refused(str(tmp_path / "text")).message == "the thing cannot be started: Permission denied"
    )


def test_a_program_that_takes_too_long_is_killed() -> None:
    error = refused("sleep", "60", seconds=0.1)

    assert re.fullmatch(r"the thing took longer than 0\.1 s", error.message)
    assert error.code is None
