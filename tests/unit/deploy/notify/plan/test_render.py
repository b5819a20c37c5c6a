"""Hostile text in a message does nothing at its receiver, and is bounded."""

import json
import re
from email import policy
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.notify.mail import make_mail
from deploy.notify.plan.notice import Finding, Notice, notice
from deploy.notify.plan.render import Format, render
from tests.examples import examples
from tests.unit.deploy.examples import settings as shop
from tests.unit.deploy.notify.receivers import AT

FORMATS = get_args(Format)
URL = "https://hooks.example.org/x/topic"
HOSTILE = (
    "\x1b]52;c;eA==\x07\x1b[2J \u202e<!channel> <@U1> @everyone [x](https://evil) `a` *b* _c_ ~d~ "
    "|e| # f\n> g\r\nBcc: x@example.org\n\n<script>alert(1)</script> \u2028 \0 \ud800 <https://evil|ok>"
)


def made(text: str, *secrets: str) -> Notice:
    finding = Finding("deploy", text, text, text, text, text, trouble=True)
    return notice(finding, "cf_1", AT, reminder=False, secrets=secrets)


def body(one: Notice, form: Format) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(one, form, URL).body)
    return found


def texts(value: object) -> list[str]:
    """List every text in a body."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("form", FORMATS)
def test_no_text_has_a_character_that_steers(form: Format) -> None:
    for text in texts(body(made(HOSTILE * 50), form)):
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text", [HOSTILE * 9999, "\\" * 99999, "€" * 99999, "a\n" * 99999, "*" * 1500]
)
def test_a_body_is_bounded(form: Format, text: str) -> None:
    found = body(made(text), form)

    assert len(render(made(text), form, URL).body) < 20_000
    assert len(str(found.get("content", ""))) <= 2000
    assert len(str(found.get("message", "")).encode()) <= 4096


def test_slack_has_no_mention_no_link_and_no_formatting() -> None:
    found = body(made(HOSTILE), "slack")

    assert not re.search("[<>]", found["text"])
    assert "&lt;!channel&gt;" in found["text"]
    assert (found["mrkdwn"], found["unfurl_links"]) == (False, False)


def test_discord_has_no_mention_and_every_mark_is_escaped() -> None:
    found = body(made(HOSTILE), "discord")

    assert found["allowed_mentions"] == {"parse": []}
    rest = re.sub(r"\\[^A-Za-z0-9\s]", "", found["content"])
    assert not re.search(r"[\\`*_~|>#\[\]()<:@]", rest)


def test_matrix_is_plain_text_without_mentions() -> None:
    found = body(made(HOSTILE), "matrix")

    assert found.keys() == {"msgtype", "body", "m.mentions"}
    assert (found["msgtype"], found["m.mentions"]) == ("m.notice", {})


def test_ntfy_gets_the_topic_and_nothing_to_press() -> None:
    request = render(made(HOSTILE), "ntfy", "https://ntfy.example.org/below/alerts")

    assert request.url == "https://ntfy.example.org/below/"
    found = json.loads(request.body)
    assert found.keys() == {"topic", "title", "message", "priority"}
    assert (found["topic"], found["priority"]) == ("alerts", 4)


def test_json_has_every_field() -> None:
    found = body(made("x"), "json")

    assert found == {
        "schema_version": 1,
        "id": "cf_1",
        "at": "2030-06-15T12:00:00Z",
        "event": "deploy",
        "app": "x",
        "node": "x",
        "state": "x",
        "title": "x",
        "text": "x",
        "trouble": True,
        "reminder": False,
    }


def test_a_title_makes_no_header_of_a_mail() -> None:
    mail = make_mail(made(HOSTILE), shop(SMTP_HOST="mail"), "ops@example.org")

    parsed = mail.as_bytes(policy=policy.SMTP)
    head = parsed.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"^Bcc:", head, re.MULTILINE | re.IGNORECASE)
    assert mail["Bcc"] is None


def said(one: Notice) -> list[str]:
    """List what receivers read, in every form, without what escapes it."""
    found = [text for form in FORMATS for text in texts(body(one, form))]
    mail = make_mail(one, shop(SMTP_HOST="mail"), "ops@example.org")
    found += [str(mail["Subject"]), mail.get_content()]
    return [re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text) for text in found]


@settings(max_examples=examples(25, 1000))
@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=40),
    before=st.text(max_size=60),
    after=st.text(max_size=60),
)
def test_no_secret_is_in_any_message(secret: str, before: str, after: str) -> None:
    text = f"{before}{secret}{after}"

    assert any(secret in one for one in said(made(text))), "the control hits"
    assert not any(secret in one for one in said(made(text, secret)))


@settings(max_examples=examples(25, 1000))
@given(secret=st.text(st.characters(exclude_categories=("C", "Z")), min_size=6, max_size=40))
def test_no_secret_of_any_characters_is_in_any_message(secret: str) -> None:
    for one in said(made(f"A{secret}B", secret)):
        assert f"A{secret}" not in one
