"""The node that the settings name: how to reach it, and where its app answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.node.connection import Login, Target, begin, connect, real_host
from deploy.node.endpoint import Endpoint, addresses_of
from deploy.node.remote import FabricRemote
from deploy.project import Project
from deploy.settings.model import Settings

# As NODE_ADDRESS: the rehearsal node that bears the name of the project.
REHEARSAL = "rehearsal"


def target(project: Project) -> Target:
    """Say how to reach the node.

    Raises:
        DeployError: when no node is named.
    """
    settings = project.settings
    if not settings.node_address:
        raise DeployError(
            "no node is named", "set NODE_ADDRESS in .env, or give one with `fab -H user@host …`"
        )
    return Target(
        _address(project),
        settings.node_port,
        settings.node_user,
        project.identity,
        project.known_hosts,
        may_ask=prompt.has_terminal(),
    )


def _address(project: Project) -> str:
    settings = project.settings
    if settings.node_address != REHEARSAL:
        return settings.node_address
    from rehearsal import lifecycle  # noqa: PLC0415 -- loaded for a rehearsal alone

    for one in lifecycle.status():
        if one.name == settings.project and one.state == "running":
            if one.owner not in {None, project.folder.resolve()}:
                raise DeployError(
                    f"rehearsal node {one.name} belongs to {one.owner}",
                    "set another PROJECT, then `fab prepare` and `fab rehearsal-up`",
                )
            return one.address
    raise DeployError(
        f"NODE_ADDRESS is {REHEARSAL} and no rehearsal node {settings.project} runs",
        "start it with `fab rehearsal-up`",
    )


def endpoint(project: Project) -> Endpoint:
    """Say where the app answers, and by which name a visitor asks for it."""
    settings = project.settings
    address = settings.public_address or real_host(target(project))
    name = settings.cert_names[0]
    host = f"www{name[1:]}" if name.startswith("*") else name
    return Endpoint(address, settings.https_port, host)


def endpoints(project: Project) -> tuple[Endpoint, ...]:
    """List every address at which visitors reach the app, of both families.

    Raises:
        DeployError: when a name has no address.
    """
    settings = project.settings
    first = endpoint(project)
    rehearsed = settings.node_address == REHEARSAL and not settings.public_address
    addresses = _rehearsed(settings) if rehearsed else ()
    addresses = addresses or addresses_of(first.address)
    return tuple(Endpoint(address, first.port, first.host) for address in addresses)


def _rehearsed(settings: Settings) -> tuple[str, ...]:
    from rehearsal import lifecycle  # noqa: PLC0415 -- loaded for a rehearsal alone

    found = lifecycle.find(settings.project)
    return (found.address, found.address6) if found else ()


def expect(project: Project) -> Login | None:
    """Start to log in to the node, for `reached` to use; None where no node is named."""
    try:
        return begin(target(project))
    except DeployError:
        # `reached` says it again, where the command needs the node.
        return None


@contextmanager
def reached(project: Project, login: Login | None = None) -> Iterator[FabricRemote]:
    """Log in to the node for as long as the block lasts; use a `login` that was started before."""
    with connect(target(project), asker(), login=login) as remote:
        yield remote


def asker() -> Callable[[str], str] | None:
    """Give the way to ask for a secret, when there is somebody to ask."""
    return prompt.ask_secret if prompt.has_terminal() else None
