"""An expected error is a message and an exit code; a bug keeps its traceback."""

import errno
import importlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import click
import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.program import Program

from deploy.errors import DeployError
from deploy.task import task
from tests.root import ROOT


def run(error: BaseException | None = None, code: int | None = None) -> int:
    """Run a task that ends so; give its exit code."""

    @task("look")
    def example(_: Context) -> int | None:
        if error:
            raise error
        return code

    try:
        example(Context())
    except Exit as exit_:
        return exit_.code
    return 0


def test_a_task_exits_with_what_it_returns() -> None:
    assert (run(), run(code=0), run(code=1)) == (0, 0, 1)


PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/errors.py"))


def errors_of(package: str) -> list[Any]:
    """List the exceptions that a package's errors.py defines."""
    module = importlib.import_module(f"{package}.errors")
    classes = [one for one in vars(module).values() if isinstance(one, type)]
    own = [one for one in classes if one.__module__ == module.__name__]
    return [one for one in own if issubclass(one, Exception)]


def test_every_package_that_raises_errors_is_known_here() -> None:
    assert {"butane", "certs", "container", "deploy", "rehearsal"} <= set(PACKAGES)


@pytest.mark.parametrize("kind", [kind for one in PACKAGES for kind in errors_of(one)])
def test_an_expected_error_is_shown_with_what_to_do(
    kind: type[DeployError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kind("the [disk] is full", "make [b]room[/b]")) == 1

    assert capsys.readouterr() == (
        "",
        "error: the [disk] is full\nwhat to do: make [b]room[/b]\n",
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_shown_and_has_the_shells_code(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(error) == 130
    assert "error: interrupted" in capsys.readouterr().err


def test_a_full_disk_here_is_shown_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OSError(errno.ENOSPC, "No space left on device", "/cache/layer")) == 1

    said = capsys.readouterr().err
    assert (
        "local disk full or read-only: [Errno 28] No space left on device: '/cache/layer'" in said
    )
    assert "what to do: free some space" in said


def test_other_users_cannot_write_what_a_command_writes_whatever_the_umask(tmp_path: Path) -> None:
    @task("look")
    def example(_: Context) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("")

    before = os.umask(0)
    try:
        example(Context())
    finally:
        os.umask(before)

    assert [(tmp_path / name).stat().st_mode & 0o002 for name in ("folder", "file")] == [0, 0]


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(errno.ENOENT, "gone")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run(error)


def raise_with_cause() -> None:
    try:
        int("port")
    except ValueError as error:
        raise DeployError("web1 cannot be reached", "is it up?") from error


@pytest.mark.parametrize("debug", [True, False])
def test_debug_shows_the_traceback_and_the_cause_of_an_expected_error(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, *, debug: bool
) -> None:
    caplog.set_level(logging.DEBUG if debug else logging.WARNING, "invoke")

    @task("look")
    def example(_: Context) -> None:
        raise_with_cause()

    with pytest.raises(Exit):
        example(Context())

    said = capsys.readouterr().err
    assert ("ValueError: invalid literal" in said) == debug
    assert said.endswith("error: web1 cannot be reached\nwhat to do: is it up?\n")


@dataclass(frozen=True)
class Options:
    disk: Annotated[str, "how large"] = "20G"
    karg: Annotated[tuple[str, ...], "what to add"] = ()
    offline: Annotated[bool, "fetch nothing"] = False
    port: Annotated[int, "where"] = 22


def parsed(*words: str) -> Options:
    """Type a command with options of a dataclass; give what the command received."""
    received: list[Options] = []

    @task("look", fields=Options, help={"host": "which"}, positional=["host"])
    def example(_: Context, host: str, *, name: str = "", wanted: Options) -> None:
        assert (host, name) == ("web1", "staging")
        received.append(wanted)

    typed = ["fab", "example", "web1", "--name", "staging", *words]
    Program(namespace=Collection(example)).run(typed, exit=False)
    return received[0]


def test_each_field_of_a_dataclass_is_an_option() -> None:
    assert parsed() == Options()
    assert parsed("--disk=9G", "--karg=a", "--karg=b", "--offline", "--port=2222") == Options(
        "9G", ("a", "b"), offline=True, port=2222
    )


@pytest.mark.parametrize("text", ["x", "-5", "1.5", "1000000", "", "٣"])
def test_an_option_that_is_no_whole_number_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @task("look")
    def example(_: Context, *, wait_here: int = 0) -> None:
        pytest.fail(f"took {wait_here}")

    program = Program(namespace=Collection(example))
    with pytest.raises(SystemExit, match="1"):
        program.run(["fab", "example", f"--wait-here={text}"])

    assert capsys.readouterr().err == (
        f"error: --wait-here is {text!r}\nwhat to do: give a whole number from 0 to 999999\n"
    )


def test_an_option_that_has_to_be_given_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    @task("look", positional=[])
    def example(_: Context, *, key_file: str, days: int = 0) -> None:
        pytest.fail(f"took {key_file} {days}")

    with pytest.raises(SystemExit, match="1"):
        Program(namespace=Collection(example)).run(["fab", "example"])

    assert capsys.readouterr().err.startswith("error: --key-file is missing\n")


def test_h_is_the_short_form_of_no_option() -> None:
    @task("look")
    def example(_: Context, *, hours: int = 12) -> None:
        """Do something."""

    assert not [one for one in Collection(example)["example"].get_arguments() if "h" in one.names]


def test_the_help_of_an_option_is_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    @task("look", fields=Options)
    def example(_: Context, *, name: str = "", wanted: Options) -> None:
        """Do something."""

    Program(namespace=Collection(example)).run(["fab", "--help", "example"], exit=False)

    said = " ".join(capsys.readouterr().out.split())
    assert "--disk=STRING how large" in said
    assert "--karg what to add; can be given several times" in said
    assert "--offline fetch nothing" in said
    assert "--name=STRING the instance, as in .env.NAME" in said
