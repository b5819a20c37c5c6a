"""Log in to the node that the settings name; where its app answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint, addresses_of
from deploy.node.fabric_remote import FabricRemote
from deploy.node.login import Login, connect, start_login
from deploy.node.release import Proof, proof_of
from deploy.node.target import Target, resolve
from deploy.project import Project
from deploy.settings.model import REHEARSAL, Settings


def target(project: Project) -> Target:
    """Say where the node is and how to log in.

    Raises:
        DeployError: when no node is named, or it lets no command log in.
    """
    settings = project.settings
    refuse_closed(settings)
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


def refuse_closed(settings: Settings) -> None:
    """Refuse a command that needs a login to a node with SSH=off.

    Raises:
        DeployError: when SSH is off.
    """
    if is_closed(settings):
        raise DeployError(
            "this command needs a login, and the node has SSH=off",
            "publish an image for it to take (`fab publish`, `fab promote`, `fab withdraw`), the "
            "machine's configuration (`fab publish --node`) or a command (`fab node-command`); "
            "other settings come with a machine made again (`fab prepare`); its console lets "
            f"{settings.node_user} in. Where the machine still has SSH: `SSH=on fab …`",
        )


def is_closed(settings: Settings) -> bool:
    """Tell whether the node lets no command log in."""
    return settings.ssh == "off"


def address_of(project: Project) -> str:
    """Say where a node answers that needs no login.

    Raises:
        DeployError: when no node is named, or its rehearsal node does not run.
    """
    if not is_closed(project.settings):
        return resolve(target(project))[0]
    if not project.settings.node_address:
        raise DeployError(
            "no node is named", "set NODE_ADDRESS in .env, or name one: `fab -H host …`"
        )
    return _address(project)


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


def endpoint(project: Project, proof: Proof | None = None) -> Endpoint:
    """Say where a release answers, and the host name to ask for; by default as the settings say."""
    proof = proof or proof_of(project.settings)
    address = proof.address or address_of(project)
    return Endpoint(address, proof.port, proof.host, tls=proof.tls != "none")


def endpoints(project: Project, proof: Proof | None = None) -> tuple[Endpoint, ...]:
    """List every IPv4 and IPv6 address at which visitors reach a release.

    Raises:
        DeployError: when the host name has no address.
    """
    settings = project.settings
    proof = proof or proof_of(settings)
    first = endpoint(project, proof)
    addresses: tuple[str, ...] = ()
    if settings.node_address == REHEARSAL and not proof.address:
        from rehearsal import lifecycle  # noqa: PLC0415 -- loaded for a rehearsal alone

        found = lifecycle.find(settings.project)
        addresses = (found.address, found.address6) if found else ()
    addresses = addresses or addresses_of(first.address)
    return tuple(replace(first, address=address) for address in addresses)


def expect_login(project: Project) -> Login | None:
    """Start to log in early, for `open_session` to use; None where no node is named.

    Raises:
        DeployError: when the node lets no command log in.
    """
    refuse_closed(project.settings)
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
