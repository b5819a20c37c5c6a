"""A probe's answer is parsed, or refused with the wrong field."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.node.answer import read_answer
from deploy.node.state import NodeState
from tests.unit.deploy.examples import fresh, state

DIGEST = "sha256:" + "1" * 64
ANSWER = json.loads(state().model_dump_json())


def test_an_answer_is_read_as_it_was_written() -> None:
    assert read_state(state().model_dump_json()) == state()
    assert read_state(fresh().model_dump_json()) == fresh()


def test_unknown_fields_of_a_newer_probe_are_ignored() -> None:
    assert read_state(json.dumps(ANSWER | {"kernel": "7.0"})) == state()


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("", "the top level"),
        ("bash: jq: command not found", "the top level"),
        ("[]", "the top level"),
        (json.dumps(ANSWER)[:-1], "the top level"),
        (json.dumps(ANSWER | {"restarts": "many"}), "restarts"),
        (json.dumps(ANSWER | {"manifest": {}}), "manifest.release"),
        (json.dumps(ANSWER | {"credentials": {"cert_pass": "odd"}}), "credentials.cert_pass"),
        (json.dumps(ANSWER | {"disks": {}}), "disks"),
        (json.dumps(ANSWER | {"layers": {"../../x": []}}), "layers.../../x.[key]"),
        (json.dumps(ANSWER | {"layers": {DIGEST: ["../../x"]}}), f"layers.{DIGEST}.0"),
        (json.dumps(ANSWER | {"layers": {DIGEST: [DIGEST] * 2001}}), f"layers.{DIGEST}"),
        (json.dumps(ANSWER | {"routes": [{"subnet": "x", "interface": "a"}]}), "routes.0.subnet"),
        (json.dumps(ANSWER | {"files": {"/a": {"mode": "644 root:root"}}}), "files./a.sha256"),
    ],
)
def test_an_invalid_answer_is_refused_with_the_wrong_field(answer: str, place: str) -> None:
    with pytest.raises(DeployError, match=re.escape(f"cannot be read at {place}: ")) as caught:
        read_state(answer)

    assert caught.value.hint


@pytest.mark.parametrize(
    "key", [name for name, field in NodeState.model_fields.items() if field.is_required()]
)
def test_an_answer_without_a_required_field_is_refused(key: str) -> None:
    with pytest.raises(DeployError, match=f"cannot be read at {key}"):
        read_state(json.dumps({name: value for name, value in ANSWER.items() if name != key}))


@given(st.text())
def test_any_text_is_parsed_or_refused(answer: str) -> None:
    with pytest.raises(DeployError):
        read_state(answer)


def read_state(answer: str) -> NodeState:
    return read_answer(NodeState, answer, "the node's state")
