"""An expected error is a message and an exit code; a bug keeps its traceback."""

import errno
import logging

import click
import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from butane.errors import ButaneError
from certs.errors import CertError
from container.errors import ContainerError
from deploy.errors import DeployError
from deploy.task import hosts, task
from rehearsal.errors import RehearsalError


def run(error: BaseException | None = None, code: int | None = None) -> int:
    """Run a task that ends so; give its exit code."""

    @task()
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


@pytest.mark.parametrize(
    "kind", [ButaneError, CertError, ContainerError, DeployError, RehearsalError]
)
def test_an_expected_error_is_printed_with_its_hint(
    kind: type[DeployError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kind("the [disk] is full", "make [b]room[/b]")) == 1

    assert capsys.readouterr() == (
        "",
        "error: the [disk] is full\nwhat to do: make [b]room[/b]\n",
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_exits_with_130(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(error) == 130
    assert "error: interrupted" in capsys.readouterr().err


def test_a_full_local_disk_is_reported_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OSError(errno.ENOSPC, "No space left on device", "/cache/layer")) == 1

    said = capsys.readouterr().err
    assert (
        "local disk full or read-only: [Errno 28] No space left on device: '/cache/layer'" in said
    )
    assert "what to do: free space" in said


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

    @task()
    def example(_: Context) -> None:
        raise_with_cause()

    with pytest.raises(Exit):
        example(Context())

    said = capsys.readouterr().err
    assert ("ValueError: invalid literal" in said) == debug
    assert said.endswith("error: web1 cannot be reached\nwhat to do: is it up?\n")


def test_nodes_are_read_from_a_list() -> None:
    assert hosts("web1, core@web2:2222,admin@fd00::1") == [
        ("web1", None, None),
        ("web2", 2222, "core"),
        ("fd00::1", None, "admin"),
    ]
    assert hosts("") == []


@pytest.mark.parametrize("text", ["core@", "web1:ssh", ":22"])
def test_an_invalid_node_in_a_list_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="is not a node"):
        hosts(text)
