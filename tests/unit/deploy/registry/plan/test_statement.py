"""A signature's payload says what is meant, and nothing else counts as a statement."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.registry.plan.statement import Statement, next_sequence, payload, read_payload

IMAGE, BEFORE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STATEMENT = Statement("registry.example.org/www:live", IMAGE, 7, BEFORE)


@pytest.mark.parametrize("previous", ["", BEFORE])
def test_a_statement_is_read_as_it_was_written(previous: str) -> None:
    written = Statement(STATEMENT.reference, IMAGE, 7, previous)

    assert read_payload(payload(written)) == written


def changed(**optional: object) -> bytes:
    found = json.loads(payload(STATEMENT))
    found["optional"] |= optional
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"null", b"\xff", b"[" * 10_000),
        *(changed(sequence=one) for one in (0, "7", 2**53, 1.5)),
        *(changed(previous="latest"), changed(previous=BEFORE + "\n")),
        payload(STATEMENT).replace(b'"optional":{', b'"optional":null,"x":{'),
        payload(STATEMENT).replace(b"cosign container image signature", b"another kind"),
    ],
)
def test_what_others_sign_is_no_statement(data: bytes) -> None:
    assert read_payload(data) is None


@given(st.binary())
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert read_payload(data) is None


@given(st.integers(0, 2**50), st.lists(st.integers(0, 2**50)))
def test_a_sequence_is_above_all_that_were_seen(now: int, seen: list[int]) -> None:
    found = next_sequence(now, seen)

    assert found >= now
    assert all(found > one for one in seen)
    assert found > 0
