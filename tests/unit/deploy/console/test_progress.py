"""Progress is shown: done with a tick, failed with a cross, a transfer with its bytes."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from deploy.console import progress


def fail_in(shown: AbstractContextManager[object]) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), shown:
        fail()


def test_a_step_shows_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("Start slot [green]", "slot [green] started"):
        assert "✓" not in capsys.readouterr().out

    assert capsys.readouterr().out.startswith("✓ slot [green] started ")


def test_a_step_without_a_done_text_shows_its_title(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.step("pinned"):
        pass

    assert capsys.readouterr().out.startswith("✓ pinned ")


@pytest.mark.parametrize(
    "shown",
    [
        lambda: progress.step("a [thing]", "done"),
        lambda: progress.progress("a [thing]", 10),
        lambda: progress.percentage("a [thing]"),
        lambda: progress.transfer("a [thing]", 10),
    ],
    ids=["step", "bar", "percentage", "transfer"],
)
def test_a_failing_step_shows_its_title_with_a_cross(
    shown: Callable[[], AbstractContextManager[object]], capsys: pytest.CaptureFixture[str]
) -> None:
    fail_in(shown())

    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[-1] == "✗ a [thing]"


def test_a_transfer_that_fails_names_its_node(capsys: pytest.CaptureFixture[str]) -> None:
    fail_in(progress.transfer("image", 10, where="web1"))

    assert capsys.readouterr().out == "✗ web1: image\n"


def test_a_transfer_prints_bytes_sent_and_bytes_covered(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.transfer("image", 3000, where="web1") as advance:
        advance("sha256:a", 100, 1000)
        advance("sha256:b", 400, 2000)

    said = capsys.readouterr().out
    assert said.startswith("  web1: 500 B sent for 3 kB of layers, 2.5 kB saved, in ")


def test_a_transfer_with_nothing_to_send_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.transfer("image", 3000):
        pass

    assert capsys.readouterr().out == "  nothing to send: the node has every layer already\n"


def test_events_are_lines_of_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.transfer("image", 10, where="web1", events=True) as advance:
        advance("sha256:a", 1, 5)
        advance("sha256:a", 2, 5)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"node": "web1", "event": "layer", "layer": "sha256:a", "sent": 1, "there": 5},
        {"node": "web1", "event": "layer", "layer": "sha256:a", "sent": 3, "there": 10},
        {"node": "web1", "event": "end", "sent": 3, "there": 10},
    ]


def test_a_failing_transfer_with_events_prints_json_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail_in(progress.transfer("image", 10, events=True))

    assert capsys.readouterr().out == ""
