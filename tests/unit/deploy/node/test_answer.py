"""A node's JSON is parsed by a model, or refused with the wrong field."""

import json

import pytest

from deploy.app.workers import Worker, Workers
from deploy.errors import DeployError
from deploy.node import answer
from deploy.node.answer import read_answer

WORKERS = Workers(
    state="healthy",
    workers=(Worker(name="web", state="healthy", last_sign=0.5, restarts=0, reasons=()),),
)


def refusal(text: str) -> DeployError:
    with pytest.raises(DeployError) as caught:
        read_answer(Workers, text, "the status", "look there")
    return caught.value


def test_an_answer_is_read_as_it_was_written() -> None:
    assert read_answer(Workers, WORKERS.model_dump_json(), "the status") == WORKERS


def test_a_refusal_names_the_answer_and_the_wrong_field() -> None:
    error = refusal('{"state": "healthy", "workers": [{}]}')

    assert error.message == "the status cannot be read at workers.0.name: Field required"
    assert error.hint == "look there"


def test_a_refusal_repeats_neither_a_long_answer_nor_control_characters() -> None:
    with pytest.raises(DeployError) as caught:
        read_answer(dict[str, int], json.dumps({"\x1b[2J" + "x" * 10_000: "y" * 10_000}), "sizes")

    assert len(caught.value.message) < 400
    assert "\x1b" not in caught.value.message


def test_an_answer_that_is_too_long_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "_LARGEST", 10)

    assert refusal(WORKERS.model_dump_json()).message.endswith("characters")
