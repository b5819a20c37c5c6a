"""The login at a registry: basic, or a token from the address that the registry names."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from deploy.errors import DeployError
from deploy.registry.exchange import Answer, Request, host

_TOKEN = re.compile(r"[!-~]{1,65536}")
_HINT = "PUBLISH_LOGIN is USER:PASSWORD, of an account that may write to this repository"


class Token:
    """What identifies us to one registry; `login` gives USER:PASSWORD when it is first needed."""

    def __init__(self, base: str, repository: str, login: Callable[[], str]) -> None:
        self._base, self._repository, self._login = base, repository, login
        self._header = ""

    def owns(self, url: str) -> bool:
        """Tell whether a URL is the registry's own, rather than of a host that it leads to."""
        return _origin(url) == _origin(self._base)

    def header(self, url: str) -> str:
        """Give the Authorization header for a URL; empty for another host's."""
        return self._header if self.owns(url) else ""

    def renew(self, headers: Mapping[str, str], send: Callable[[Request], Answer]) -> None:
        """Log in as the registry's answer asks; `send` sends a request to get a token.

        Raises:
            DeployError: for another way to log in, and when the login is refused.
        """
        if not self._base.startswith("https://") and not _is_loopback(self._base):
            raise DeployError(
                f"{host(self._base)} asks for a login, and has no TLS",
                "a login is sent over HTTPS only; remove PULL_HTTP",
            )
        kind, _, rest = headers.get("WWW-Authenticate", "").partition(" ")
        named = parse_keqv_list([one for one in parse_http_list(rest) if "=" in one])
        if kind.lower() == "basic":
            self._header = self._basic()
        elif kind.lower() == "bearer" and named.get("realm"):
            self._header = f"Bearer {self._fetch(named, send)}"
        else:
            raise DeployError(
                f"{host(self._base)} asks for a login of the kind {kind[:20]!r}",
                "corefab logs in with basic or bearer, as the distribution specification has them",
            )

    def refused(self, said: str) -> DeployError:
        """Give the error for a login that the registry does not accept."""
        return DeployError(
            f"{host(self._base)} does not accept the login for {self._repository}: {said}", _HINT
        )

    def _basic(self) -> str:
        login = self._login()
        if not all(login.partition(":")) or not login.isprintable():
            raise DeployError("PUBLISH_LOGIN is not USER:PASSWORD", _HINT)
        return f"Basic {base64.b64encode(login.encode()).decode()}"

    def _fetch(self, named: Mapping[str, str], send: Callable[[Request], Answer]) -> str:
        realm = named["realm"]
        trusted = _is_loopback(realm) and _is_loopback(self._base)
        if not realm.startswith("https://") and not trusted:
            raise DeployError(
                f"{host(self._base)} sends logins to {host(realm)}, which has no TLS",
                "use another registry",
            )
        # What the registry asks for may be more than this repository.
        query = {"service": named.get("service", ""), "scope": self._scope}
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        answer = send(Request("GET", url, {"Authorization": self._basic()}))
        try:
            found = json.loads(answer.body)
            token = found.get("token") or found["access_token"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            token = None
        if answer.status != HTTPStatus.OK or not isinstance(token, str):
            raise self.refused(f"{host(realm)} gives no token ({answer.said[:80]})")
        if not _TOKEN.fullmatch(token):
            raise DeployError(f"{host(realm)} gives a token that is none", "use another registry")
        return token

    @property
    def _scope(self) -> str:
        return f"repository:{self._repository}:pull,push"


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return "", url, 0
    return parts.scheme, parts.hostname or "", port


def _is_loopback(url: str) -> bool:
    name = _origin(url)[1]
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
