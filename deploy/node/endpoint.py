"""The address at which an app answers visitors."""

import socket
from dataclasses import dataclass

from deploy.errors import DeployError

_USUAL_PORTS = {True: 443, False: 80}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and port of an app, the host name to ask for, and whether it answers over TLS."""

    address: str
    port: int
    host: str
    tls: bool = True

    def __str__(self) -> str:
        return f"{self.scheme}://{bracketed(self.address)}:{self.port}"

    @property
    def scheme(self) -> str:
        """What its address begins with."""
        return "https" if self.tls else "http"

    @property
    def authority(self) -> str:
        """Host and port as a browser sends them in the Host header."""
        port = "" if self.port == _USUAL_PORTS[self.tls] else f":{self.port}"
        return f"{bracketed(self.host)}{port}"


def bracketed(host: str) -> str:
    """Put an IPv6 address into brackets, as URLs have it."""
    return f"[{host}]" if ":" in host else host


def addresses_of(host: str) -> tuple[str, ...]:
    """Look up every IPv4 and IPv6 address of a host; an address resolves to itself.

    Raises:
        DeployError: when it has no address.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeployError(
            f"{host} has no address: {error}", "correct PUBLIC_ADDRESS, or the name's DNS records"
        ) from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))
