"""The address at which an app answers visitors."""

import socket
from dataclasses import dataclass

from deploy.errors import DeployError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and port of an app, and the host name to ask for."""

    address: str
    port: int
    host: str

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


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
