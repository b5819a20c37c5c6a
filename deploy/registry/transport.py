"""Requests to a registry: bounded answers, limited patience, a login that stays with its host."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests

from deploy.errors import DeployError
from deploy.registry.exchange import Answer, Request, host
from deploy.registry.token import Token

MOST_BYTES = 4 << 20
_CONNECT_SECONDS, _PATIENCE_SECONDS, _ANSWER_SECONDS = 10, 60, 300
_TRIES, _LONGEST_WAIT_SECONDS = 5, 60
_BLOCK_BYTES = 1 << 16
_MOST_REDIRECTS = 5
_MOST_DIGITS = 6
_BUSY = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}


class UnreachableError(DeployError):
    """A host does not answer, or is busy for too long."""


class Transport:
    """Sends requests to one registry, and to where it leads."""

    def __init__(self, token: Token, *, root: Path | None, http: bool) -> None:
        self._token, self._root = token, root
        self._schemes = {"https", "http"} if http else {"https"}
        self._session = requests.Session()
        # A proxy could read a login that goes without TLS.
        self._session.trust_env = not http
        # Or requests would take a login from ~/.netrc, for whatever host.
        self._session.auth = lambda request: request

    def send(self, request: Request) -> Answer:
        """Send a request; log in once if the registry asks, and wait where it is busy.

        Raises:
            UnreachableError: without an answer, or when it is still busy after several tries.
            DeployError: for an answer that is too large, a redirect that is not followed, and a
                login that is refused.
        """
        answer = self._patiently(request)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._token.owns(answer.url):
            self._token.renew(answer.headers, self._patiently)
            answer = self._patiently(request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise self._token.refused(answer.said)
        return answer

    def _patiently(self, request: Request) -> Answer:
        """Send a request, several times if need be; one with a file is the caller's to repeat."""
        tries = 1 if request.file else _TRIES
        failure: UnreachableError | None = None
        for attempt in range(tries):
            wait = 2**attempt
            try:
                answer = self._follow(request)
                if answer.status not in _BUSY:
                    return answer
                wait = _wait_of(answer, wait)
                failure = UnreachableError(
                    f"{host(answer.url)} is busy: {answer.said}", "run the same command again later"
                )
            except UnreachableError as error:
                failure = error
            if request.file or attempt < tries - 1:
                time.sleep(wait)
        raise failure or AssertionError

    def _follow(self, request: Request) -> Answer:
        """Send a request, and follow redirects of what only reads and carries no login."""
        reads = request.method in {"GET", "HEAD"} and "Authorization" not in request.headers
        for _ in range(_MOST_REDIRECTS):
            answer = self._once(request)
            if answer.status not in _REDIRECTS:
                return answer
            request = replace(request, url=_joined(request.url, answer.headers.get("Location", "")))
            if not reads:
                break
        raise DeployError(
            f"the registry leads on to {host(request.url)}, which is not followed",
            "name in PULL the registry that answers itself",
        )

    def _once(self, request: Request) -> Answer:
        url = request.url
        if _scheme(url) not in self._schemes:
            raise DeployError(
                f"the registry leads to {host(url)} without TLS",
                "a registry without TLS needs PULL_HTTP=true",
            )
        headers = {"Accept-Encoding": "identity"}
        if login := self._token.header(url):
            headers["Authorization"] = login
        with _reaching(url), _opened(request) as body:
            answered = self._session.request(
                request.method,
                url,
                headers=headers | dict(request.headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT_SECONDS, _PATIENCE_SECONDS),
                # Or a variable of the environment would replace PULL_ROOT.
                verify=str(self._root) if self._root else True,
            )
            with answered:
                return Answer(url, answered.status_code, answered.headers, _bounded(answered))


def absolute(answer: Answer) -> str:
    """Give the URL that an answer leads to; empty for none."""
    place = answer.headers.get("Location", "")
    return _joined(answer.url, place) if place else ""


def _joined(url: str, place: str) -> str:
    try:
        return urljoin(url, place)
    except ValueError:
        return place


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


@contextmanager
def _opened(request: Request) -> Iterator[IO[bytes] | bytes]:
    if request.file is None:
        yield request.body
        return
    with request.file() as file:
        yield file


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DeployError(
            f"{host(url)} shows a certificate that is not trusted: {error}",
            "PULL_ROOT names the root certificate of a private authority",
        ) from error
    except (requests.RequestException, UnicodeError) as error:
        raise UnreachableError(
            f"{host(url)} cannot be reached: {error}",
            "run the same command again: what has arrived is not sent again",
        ) from error


def _bounded(answered: requests.Response) -> bytes:
    """Read an answer's body, of limited size and in limited time."""
    content, end = bytearray(), time.monotonic() + _ANSWER_SECONDS
    for part in answered.iter_content(_BLOCK_BYTES):
        content += part
        if len(content) > MOST_BYTES or time.monotonic() > end:
            raise DeployError(
                f"{host(answered.url)} sends an answer without end", "is it the registry you mean?"
            )
    return bytes(content)


def _wait_of(answer: Answer, otherwise: int) -> int:
    """Read how long a busy registry asks to wait."""
    asked = answer.headers.get("Retry-After", "")
    known = asked.isascii() and asked.isdigit() and len(asked) <= _MOST_DIGITS
    return min(int(asked) if known else otherwise, _LONGEST_WAIT_SECONDS)
