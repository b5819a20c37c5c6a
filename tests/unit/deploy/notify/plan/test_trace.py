"""A trace is what the protocol's JSON is, whatever text is in it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from deploy.console.visible import visible
from deploy.notify.plan.trace import Span, trace
from tests.examples import examples
from tests.unit.deploy.notify.plan.test_render import HOSTILE

SECRET = "t0p/secret+token"


def exactly(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Describe an object that has these fields and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^({pattern})$"}


def each(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


# What is used of opentelemetry/proto/trace/v1/trace.proto, as its JSON is: names in lowerCamelCase,
# ids in hexadecimal digits, numbers of 64 bits as text, and of enumerations the number. Source:
# https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
_ATTRIBUTES = each(
    exactly({"key": text("[a-z_.]+"), "value": exactly({"stringValue": {"type": "string"}})})
)
_SPAN = exactly(
    {
        "traceId": text("[0-9a-f]{32}"),
        "spanId": text("[0-9a-f]{16}"),
        "name": {"type": "string", "minLength": 1},
        "kind": {"enum": [1, 2, 3, 4, 5]},
        "startTimeUnixNano": text("[0-9]{1,20}"),
        "endTimeUnixNano": text("[0-9]{1,20}"),
        "status": exactly({"code": {"enum": [0, 1, 2]}}, message={"type": "string"}),
    },
    parentSpanId=text("[0-9a-f]{16}"),
    attributes=_ATTRIBUTES,
)
_SCOPE = exactly({"scope": exactly({"name": {"type": "string"}}), "spans": each(_SPAN)})
_RESOURCE = exactly({"resource": exactly({"attributes": _ATTRIBUTES}), "scopeSpans": each(_SCOPE)})
REQUEST = Draft202012Validator(exactly({"resourceSpans": each(_RESOURCE)}))


def made(hostile: str) -> bytes:
    """Make a trace with a text wherever one can be."""
    whole = Span("deploy", 1, 4, hostile)
    steps = [Span("stage", 1, 2), Span("start " + hostile, 2, 3, hostile)]
    return trace(whole, steps, {"corefab.by": hostile, "vcs.ref.head.revision": ""}, (SECRET,))


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [found for one in value.values() for found in strings(one)]
    if isinstance(value, list):
        return [found for one in value for found in strings(one)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=examples(60, 1000))
@given(st.text(max_size=3000) | st.just(HOSTILE) | st.just("x" * 300_000))
def test_whatever_text_is_in_a_trace_it_is_well_formed_and_bounded(hostile: str) -> None:
    request = json.loads(made(hostile))

    REQUEST.validate(request)
    for one in strings(request):
        assert one == visible(one).replace("\n", "").replace("\t", "")
        assert len(one) <= 200


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"startTimeUnixNano": "1"', '"startTimeUnixNano": 1'),
        ('"traceId"', '"trace_id"'),
        ('"kind": 1', '"kind": "SPAN_KIND_INTERNAL"'),
        ('"stringValue"', '"string_value"'),
    ],
)
def test_another_json_would_be_noticed(right: str, wrong: str) -> None:
    body = made("x").decode()

    assert REQUEST.is_valid(json.loads(body))
    assert not REQUEST.is_valid(json.loads(body.replace(right, wrong, 1)))


@settings(max_examples=examples(60, 1000))
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_secret_is_in_a_trace(before: str, after: str) -> None:
    hostile = f"{before}{SECRET}{after}"

    assert SECRET not in made(hostile).decode()
    # What the search would have found.
    assert SECRET in trace(Span("deploy", 1, 2, SECRET), [], {}, ()).decode()


def test_only_the_first_line_of_a_failure_is_sent() -> None:
    assert b"second" not in trace(Span("deploy", 1, 2, "first\nsecond"), [], {}, ())
    assert b"first" in trace(Span("deploy", 1, 2, "first\nsecond"), [], {}, ())
