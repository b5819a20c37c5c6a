"""Write an ssh config that leads the system's ssh along an open connection."""

from collections.abc import Iterator

from fabric.connection import Connection

from deploy.node.connection import CONNECT_SECONDS, route
from deploy.node.host_key import key_line
from deploy.node.private_key import usual_keys

# The node's name in that config.
NODE = "node"
_ALIVE_SECONDS = 15


def ssh_config(connection: Connection) -> str:
    """Write the hosts on the way to a node, each with the host key that it showed."""
    hops = route(connection)
    names = [NODE, *(f"jump{number}" for number in range(1, len(hops)))]
    lines: list[str] = []
    for name, via, hop in zip(names, [*names[1:], ""], hops, strict=True):
        lines += _host(name, hop, via)
    return "".join(f"{line}\n" for line in lines)


def _host(name: str, hop: Connection, via: str) -> Iterator[str]:
    key = key_line(hop.client.get_transport().get_remote_server_key())
    yield f"Host {name}"
    yield f"HostName {hop.host}"
    yield f"Port {hop.port}"
    yield f"User {hop.user}"
    for identity in (*hop.connect_kwargs["key_filename"], *usual_keys()):
        yield f"IdentityFile {_quoted(str(identity))}"
    if via:
        yield f"ProxyJump {via}"
    elif isinstance(hop.gateway, str):
        yield f"ProxyCommand {hop.gateway.replace('%', '%%')}"
    # A compromised host could ask for any password of the operator's.
    yield "PreferredAuthentications publickey"
    yield f"HostKeyAlias {name}"
    yield f"KnownHostsCommand /usr/bin/env echo {name} {key}"
    yield "UserKnownHostsFile /dev/null"
    yield "GlobalKnownHostsFile /dev/null"
    yield "StrictHostKeyChecking yes"
    yield "UpdateHostKeys no"
    yield f"ConnectTimeout {CONNECT_SECONDS}"
    yield f"ServerAliveInterval {_ALIVE_SECONDS}"
    yield "LogLevel ERROR"


def _quoted(path: str) -> str:
    return f'"{path.replace("%", "%%")}"'
