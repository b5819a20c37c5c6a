"""No text that someone else wrote steers the terminal: not in lines, tables, bars or prompts."""

import contextlib
import json
import unicodedata
from collections.abc import Callable

import click
import pytest
from rich.console import Console

from deploy.console import output, progress, prompt
from deploy.console.visible import visible

# Sets the clipboard, clears the screen, overwrites the line, turns the text around.
HOSTILE = "a\x1b]52;c;eA==\x07\x9b2J\r\x00\x7f\u200b\u202e\u2066\u2028\U000e0041\ud800[bold]z"
SHOWN = r"a\x1b]52;c;eA==\x07\x9b2J\r\x00\x7f\u200b\u202e\u2066\u2028\U000e0041\ud800[bold]z"


def entered(shown: contextlib.AbstractContextManager[object]) -> None:
    with shown:
        pass


def transfer(*, events: bool) -> None:
    with progress.transfer(HOSTILE, 10, where=HOSTILE, events=events) as report:
        report(f"sha256:{HOSTILE}", 1, 2)


PRINTING: dict[str, Callable[[], object]] = {
    "as_json": lambda: output.as_json({HOSTILE: [HOSTILE]}),
    "bad": lambda: output.bad(HOSTILE),
    "fail": lambda: output.fail(HOSTILE, HOSTILE),
    "good": lambda: output.good(HOSTILE, seconds=1),
    "plain": lambda: output.plain(HOSTILE),
    "say": lambda: output.say(HOSTILE),
    "table": lambda: output.table(HOSTILE, (HOSTILE,), [(HOSTILE,)]),
    "trace": lambda: output.trace(HOSTILE),
    "warn": lambda: output.warn(HOSTILE),
    "step": lambda: entered(progress.step(HOSTILE, HOSTILE)),
    "progress": lambda: entered(progress.progress(HOSTILE, 10)),
    "percentage": lambda: entered(progress.percentage(HOSTILE)),
    "transfer": lambda: transfer(events=False),
}
# These print nothing.
SILENT = {"count", "shown"}


def unseen(text: str) -> set[str]:
    return {one for one in text if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029"}


@pytest.mark.parametrize("name", sorted(PRINTING))
def test_what_is_printed_has_no_control_character(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    PRINTING[name]()

    said = capfd.readouterr()
    assert unseen(said.out + said.err) <= {"\n"}
    if name != "progress":  # a bar leaves nothing
        assert "52;c;eA==" in said.out + said.err


@pytest.mark.parametrize("name", sorted(PRINTING))
def test_a_terminal_gets_no_sequence_but_those_of_the_console(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for console in ("console", "_errors"):
        terminal = Console(
            force_terminal=True, highlight=False, width=400, stderr=console == "_errors"
        )
        monkeypatch.setattr(output, console, terminal)
    monkeypatch.setattr(progress, "has_terminal", lambda: True)
    PRINTING[name]()

    said = capfd.readouterr()
    whole = said.out + said.err
    assert not unseen(whole) - {"\n", "\r", "\x1b"}
    assert "\x1b]" not in whole
    assert "52;c;eA==" in whole


@pytest.mark.parametrize("name", ["say", "bad", "warn", "plain", "trace"])
def test_the_characters_are_shown_as_escapes(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    PRINTING[name]()

    said = capfd.readouterr()
    assert SHOWN in said.out + said.err


def test_every_function_that_prints_is_tried() -> None:
    made = {
        name
        for module in (output, progress)
        for name, one in vars(module).items()
        if callable(one) and getattr(one, "__module__", "") == module.__name__ and name[0] != "_"
    }
    assert made == PRINTING.keys() | SILENT


def test_prompts_are_shown_with_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(question: str, **_: object) -> str:
        asked.append(question)
        return "x"

    monkeypatch.setattr(click, "prompt", answer)
    monkeypatch.setattr(click, "confirm", answer)

    prompt.ask(HOSTILE)
    prompt.ask_secret(HOSTILE)
    prompt.confirm(HOSTILE)

    assert asked == [SHOWN] * 3


def test_json_keeps_every_character_for_the_program_that_reads_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.as_json({"text": HOSTILE})

    assert json.loads(capsys.readouterr().out) == {"text": HOSTILE}


def test_letters_lines_and_tabs_of_any_language_stay() -> None:
    text = "naïve 日本語\u3000\u00a0ελληνικά\n\tok 🙂"  # noqa: RUF001 -- Greek

    assert visible(text) == text
