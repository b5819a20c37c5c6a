"""A request to a registry and its answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlsplit

_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `file` opens its body, and a request with one is tried once only."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    file: Callable[[], IO[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A registry's answer."""

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def said(self) -> str:
        """The reason that a registry gives for refusing."""
        try:
            errors: list[dict[str, Any]] = json.loads(self.body)["errors"]
            found = "; ".join(f"{one['code']}: {one.get('message', '')}" for one in errors)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found = self.body[:_LONGEST_TEXT].decode(errors="replace")
        text = " ".join(found[:_LONGEST_TEXT].split())
        return f"{self.status} {text}".strip()


def host(url: str) -> str:
    """Name the host of a URL, with its port, for messages."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url[:_LONGEST_TEXT]
    except ValueError:
        return url[:_LONGEST_TEXT]
