"""The node that the settings name: how to reach it, and where its app answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import report
from deploy.endpoint import Endpoint, addresses_of
from deploy.errors import DeployError
from deploy.remote.connection import Target, connect, real_host
from deploy.remote.remote import FabricRemote
from deploy.settings.model import Settings
from rehearsal import lifecycle

# As NODE_ADDRESS: the rehearsal node that bears the name of the project.
REHEARSAL = "rehearsal"


def target(folder: Path, settings: Settings) -> Target:
    """Say how to reach the node.

    Raises:
        DeployError: when no node is named.
    """
    if not settings.node_address:
        raise DeployError(
            "no node is named", "set NODE_ADDRESS in .env, or give one with `fab -H user@host …`"
        )
    return Target(
        _address(settings),
        settings.node_port,
        settings.node_user,
        identity(folder, settings),
        folder / settings.known_hosts.expanduser(),
        may_ask=report.has_terminal(),
    )


def identity(folder: Path, settings: Settings) -> Path | None:
    """Say where the private key to log in with is; None where IDENTITY_FILE is not set."""
    return folder / settings.identity_file.expanduser() if settings.identity_file else None


def _address(settings: Settings) -> str:
    if settings.node_address != REHEARSAL:
        return settings.node_address
    for one in lifecycle.status():
        if one.name == settings.project and one.state == "running":
            return one.address
    raise DeployError(
        f"NODE_ADDRESS is {REHEARSAL} and no rehearsal node {settings.project} runs",
        "start it with `fab node-up`",
    )


def endpoint(folder: Path, settings: Settings) -> Endpoint:
    """Say where the app answers, and by which name a visitor asks for it."""
    address = settings.public_address or real_host(target(folder, settings))
    name = settings.cert_names[0]
    host = f"www{name[1:]}" if name.startswith("*") else name
    return Endpoint(address, settings.https_port, host)


def endpoints(folder: Path, settings: Settings) -> tuple[Endpoint, ...]:
    """List every address at which visitors reach the app, of both families.

    Raises:
        DeployError: when a name has no address.
    """
    first = endpoint(folder, settings)
    rehearsed = settings.node_address == REHEARSAL and not settings.public_address
    found = lifecycle.find(settings.project) if rehearsed else None
    addresses = (found.address, found.address6) if found else addresses_of(first.address)
    return tuple(Endpoint(address, first.port, first.host) for address in addresses)


@contextmanager
def reached(folder: Path, settings: Settings) -> Iterator[FabricRemote]:
    """Log in to the node for as long as the block lasts."""
    with connect(target(folder, settings), asker()) as remote:
        yield remote


def asker() -> Callable[[str], str] | None:
    """Give the way to ask for a secret, when there is somebody to ask."""
    return report.ask_secret if report.has_terminal() else None
