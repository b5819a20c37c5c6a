"""Where an app answers its visitors."""

import socket
from dataclasses import dataclass

from deploy.errors import DeployError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an app answers: address, port, and the host name that a visitor asks for."""

    address: str
    port: int
    host: str

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


def addresses_of(host: str) -> tuple[str, ...]:
    """Look up every address of a host, of both families; an address is its own.

    Raises:
        DeployError: when it has none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeployError(
            f"{host} has no address: {error}", "mend PUBLIC_ADDRESS, or the name's records"
        ) from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))
