"""Make text of others fit for a message: without secrets, visible, and of limited length."""

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from deploy.console.visible import visible

# What is shorter occurs in any text.
_SHORTEST_SECRET = 4
_HIDDEN = "***"
_MORE = "…"
_MOST_TITLE, _MOST_TEXT, _MOST_LINES = 200, 1200, 12
# Of what is longer, only the beginning is looked at.
_MOST_READ = 200_000


def title(text: str, secrets: Iterable[str]) -> str:
    """Make one line."""
    shown = visible(without_secrets(text[:_MOST_READ], secrets))
    return _cut(" ".join(shown.split()), _MOST_TITLE)


def paragraph(text: str, secrets: Iterable[str]) -> str:
    """Make a few lines."""
    shown = visible(without_secrets(text[:_MOST_READ], secrets)).replace("\t", " ")
    lines = [line.rstrip() for line in shown.split("\n") if line.strip()]
    kept = lines[:_MOST_LINES] + ([_MORE] if len(lines) > _MOST_LINES else [])
    return _cut("\n".join(kept), _MOST_TEXT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _MORE


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Hide secrets, the longest first: one may be part of another."""
    forms = {form for one in secrets for form in _forms(one)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, _HIDDEN)
    return text


def _forms(secret: str) -> Iterator[str]:
    """List the ways in which programs write a secret: as it is, line by line, encoded."""
    for part in {secret, *secret.splitlines()}:
        if len(part.strip()) < _SHORTEST_SECRET:
            continue
        yield part
        yield base64.b64encode(part.encode()).decode()
        yield base64.urlsafe_b64encode(part.encode()).decode()
        yield quote(part, safe="")
        yield json.dumps(part)[1:-1]
        yield visible(part)
