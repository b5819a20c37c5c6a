"""Write a notice in the form of a receiver: hostile text in it does nothing there."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.notify.plan.notice import Notice

Format = Literal["json", "slack", "ntfy", "matrix", "discord"]
# Discord takes 2000 characters, ntfy 4096 bytes; others more.
_MOST_DISCORD, _MOST_NTFY_BYTES = 1900, 3500
# An embedded link is not fetched: the flag SUPPRESS_EMBEDS.
_NO_EMBEDS = 4
_MARKDOWN = re.compile(r"[\\`*_~|>#\[\]()<:@+.!{}-]")
_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_HIGH, _USUAL = 4, 3


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a receiver; its address may be a secret."""

    method: Literal["POST", "PUT"]
    url: str = field(repr=False)
    body: bytes = field(repr=False)


def render(notice: Notice, form: Format, url: str) -> Request:
    """Write a notice as the request that a receiver at `url` takes."""
    return _FORMS[form](notice, url)


def _json(notice: Notice, url: str) -> Request:
    return Request("POST", url, _body(notice.model_dump(mode="json")))


def _slack(notice: Notice, url: str) -> Request:
    """Have no formatting, and no mentions: `<!channel>` is one only in its own brackets."""
    text = "".join(_SLACK.get(one, one) for one in notice.words)
    plain = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    return Request("POST", url, _body({"text": text, **plain}))


def _ntfy(notice: Notice, url: str) -> Request:
    """Publish as JSON at the server's root: a topic's own address takes titles as headers."""
    parts = urlsplit(url)
    above, _, topic = parts.path.rstrip("/").rpartition("/")
    message = notice.text or notice.title
    body = {
        "topic": topic,
        "title": notice.title,
        "message": message.encode()[:_MOST_NTFY_BYTES].decode(errors="ignore"),
        "priority": _HIGH if notice.trouble else _USUAL,
    }
    return Request("POST", urlunsplit(parts._replace(path=f"{above}/")), _body(body))


def _matrix(notice: Notice, url: str) -> Request:
    """Send an event with the notice's id, which the server takes once."""
    body = {"msgtype": "m.notice", "body": notice.words, "m.mentions": {}}
    return Request("PUT", f"{url.rstrip('/')}/{quote(notice.id, safe='')}", _body(body))


def _discord(notice: Notice, url: str) -> Request:
    words, text = _MARKDOWN.sub(r"\\\g<0>", notice.words), notice.words
    while len(words) > _MOST_DISCORD:
        # Escapes double what they are before: no cut is in the middle of one.
        text = text[: -max(1, (len(words) - _MOST_DISCORD) // 2)]
        words = _MARKDOWN.sub(r"\\\g<0>", text) + "…"
    body = {"content": words, "allowed_mentions": {"parse": []}, "flags": _NO_EMBEDS}
    return Request("POST", url, _body(body))


def _body(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


_FORMS: Mapping[Format, Callable[[Notice, str], Request]] = {
    "json": _json,
    "slack": _slack,
    "ntfy": _ntfy,
    "matrix": _matrix,
    "discord": _discord,
}
