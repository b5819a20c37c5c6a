"""Secrets are hidden however programs write them; what is shown is short."""

import base64
import json
from urllib.parse import quote

import pytest

from deploy.notify.plan.text import paragraph, title

SECRET = '~~~?>>> p&ss "wörd"/+\\'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
    ],
)
def test_a_secret_is_hidden_in_each_form(form: str) -> None:
    assert form in f"login {form}", "the control hits"
    assert title(f"login {form} refused", [SECRET]) == "login *** refused"


def test_each_line_of_a_secret_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"

    assert title("bad line MIIEvQIBADANBg", [key]) == "bad line ***"


def test_a_secret_that_is_cut_off_is_hidden_before_the_cut() -> None:
    assert "hunter" not in paragraph("x" * 1195 + "hunter2-is-long", ["hunter2-is-long"])


def test_the_longest_secret_goes_first() -> None:
    assert title("abcdefgh", ["abcd", "abcdefgh"]) == "***"


def test_a_secret_that_is_very_short_hides_nothing() -> None:
    assert title("a and b", ["a", "  ", ""]) == "a and b"


def test_a_title_is_one_short_line() -> None:
    assert title("a\n\tb  \r\n c", ()) == "a b \\r c"
    assert len(title("x" * 999, ())) == 200


def test_a_paragraph_is_a_few_lines() -> None:
    found = paragraph("\n".join(f"line {number}  \n\n" for number in range(99)), ())

    assert found.splitlines() == [*(f"line {number}" for number in range(12)), "…"]
