"""Log in to the node that the settings name; where its app answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint, addresses_of
from deploy.node.fabric_remote import FabricRemote
from deploy.node.login import Login, connect, start_login
from deploy.node.target import Target, resolve
from deploy.project import Project

# As NODE_ADDRESS: the rehearsal node named after the project.
REHEARSAL = "rehearsal"


def target(project: Project) -> Target:
    """Say where the node is and how to log in.

    Raises:
        DeployError: when no node is named.
    """
    settings = project.settings
    if not settings.node_address:
        raise DeployError(
            "no node is named", "set NODE_ADDRESS in .env, or name one: `fab -H user@host …`"
        )
    return Target(
        _address(project),
        settings.node_port,
        settings.node_user,
        project.identity,
        project.known_hosts,
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
        f"NODE_ADDRESS is {REHEARSAL} and rehearsal node {settings.project} does not run",
        "start it with `fab rehearsal-up`",
    )


def endpoint(project: Project) -> Endpoint:
    """Say where the app answers, and the host name to ask for."""
    settings = project.settings
    address = settings.public_address or resolve(target(project))[0]
    name = settings.cert_names[0]
    host = f"www{name[1:]}" if name.startswith("*") else name
    return Endpoint(address, settings.https_port, host)


def endpoints(project: Project) -> tuple[Endpoint, ...]:
    """List every IPv4 and IPv6 address at which visitors reach the app.

    Raises:
        DeployError: when the host name has no address.
    """
    settings = project.settings
    first = endpoint(project)
    addresses: tuple[str, ...] = ()
    if settings.node_address == REHEARSAL and not settings.public_address:
        from rehearsal import lifecycle  # noqa: PLC0415 -- loaded for a rehearsal alone

        found = lifecycle.find(settings.project)
        addresses = (found.address, found.address6) if found else ()
    addresses = addresses or addresses_of(first.address)
    return tuple(replace(first, address=address) for address in addresses)


def expect_login(project: Project) -> Login | None:
    """Start to log in early, for `open_session` to use; None where no node is named."""
    try:
        return start_login(target(project))
    except DeployError:
        # `open_session` raises it again, where the command needs the node.
        return None


@contextmanager
def open_session(project: Project, login: Login | None = None) -> Iterator[FabricRemote]:
    """Log in to the node until the block ends; use the login from `expect_login`, if any."""
    with connect(target(project), passphrase_prompt(), login=login) as remote:
        yield remote


def passphrase_prompt() -> Callable[[str], str] | None:
    """Return the function that asks for a passphrase; None without a terminal."""
    return prompt.ask_secret if prompt.has_terminal() else None
