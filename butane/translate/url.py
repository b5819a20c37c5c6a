"""URLs as Go's net/url reads them, as far as it decides what Ignition accepts."""

import ipaddress
import re
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST_PERCENT = re.compile(r"%(?:(?!25)[0-7][0-9A-Fa-f])")
_BAD_HOST = re.compile(r"[\x00-\x20#/?@\\^`{|}\x7f]")
_USER_TEXT = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(?::[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL that matter here."""

    scheme: str
    opaque: str
    query: str

    def first(self, name: str) -> str | None:
        """Read the first value of a query parameter; None when it is absent."""
        for pair in self.query.split("&"):
            if ";" in pair or not pair or _BAD_PERCENT.search(pair):
                continue
            key, _, value = pair.partition("=")
            if key == name:
                return value
        return None


def parse(text: str) -> Url | None:
    """Read a URL; None when it is malformed."""
    body, _, fragment = text.partition("#")
    if _CONTROL.search(body) or _BAD_PERCENT.search(fragment):
        return None
    if body == "*":
        return Url("", "", "")
    if body.startswith(":"):
        return None
    match = _SCHEME.match(body)
    scheme = match[0][:-1].lower() if match else ""
    rest, _, query = body[len(scheme) + 1 if match else 0 :].partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, rest, query)
        if ":" in rest.partition("/")[0]:
            return None
    return Url(scheme, "", query) if _is_place(scheme, rest) else None


def _is_place(scheme: str, rest: str) -> bool:
    path = rest
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, below = rest[2:].partition("/")
        path = slash + below
        if not _is_authority(authority):
            return False
    return not _BAD_PERCENT.search(path)


def _is_authority(authority: str) -> bool:
    user, at, host = authority.rpartition("@")
    if not _is_host(host):
        return False
    return not at or bool(_USER_TEXT.fullmatch(user) and not _BAD_PERCENT.search(user))


def _is_host(host: str) -> bool:
    bracket = host.rfind("[")
    if bracket > 0:
        return False
    if bracket == 0:
        address, close, port = host[1:].rpartition("]")
        return bool(close and _PORT.fullmatch(port)) and _is_ipv6(address)
    if ":" in host and not _PORT.fullmatch(host[host.rindex(":") :]):
        return False
    return not any(bad.search(host) for bad in (_BAD_PERCENT, _HOST_PERCENT, _BAD_HOST))


def _is_ipv6(text: str) -> bool:
    address, zone, name = text.partition("%25")
    if (zone and not name) or "%" in address:
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not _BAD_PERCENT.search(name)
