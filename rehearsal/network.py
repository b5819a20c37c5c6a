"""A node's own network: a named namespace, joined to the workstation by one pair of interfaces.

198.18.0.0/15 is set aside for tests (RFC 2544), fd8e:3b5c:71d0::/48 was drawn at random (RFC 4193).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from rehearsal import places, programs
from rehearsal.errors import RehearsalError

POOL = IPv4Network("198.18.0.0/15")
POOL6 = IPv6Network("fd8e:3b5c:71d0::/48")
SLOTS = POOL.num_addresses // 4
NAMESPACES = Path("/run/netns")
LOCK = Path("/run/lock/corefab-network.lock")
INTERFACE = "enp1s0"


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses and names that slot number `slot` stands for; slots start at 1."""

    slot: int

    @property
    def namespace(self) -> str:
        """Name the namespace, and the workstation's interface into it (at most 15 characters)."""
        return f"corefab-{self.slot}"

    @property
    def path(self) -> Path:
        """Name the file that stands for the namespace."""
        return NAMESPACES / self.namespace

    @property
    def gateway(self) -> IPv4Address:
        """Address the workstation's end."""
        return POOL[4 * self.slot + 1]

    @property
    def address(self) -> IPv4Address:
        """Address the node's end."""
        return POOL[4 * self.slot + 2]

    @property
    def gateway6(self) -> IPv6Address:
        """Address the workstation's end."""
        return POOL6[(self.slot << 64) + 1]

    @property
    def address6(self) -> IPv6Address:
        """Address the node's end."""
        return POOL6[(self.slot << 64) + 2]

    def processes(self) -> tuple[int, ...]:
        """List the pids of everything that runs in the namespace."""
        answer = programs.attempt(["ip", "netns", "pids", self.namespace])
        return tuple(map(int, answer.stdout.split()))


def create(claim: Callable[[Network], None]) -> Network:
    """Make a network of a free slot; `claim` records whose it is before anything exists."""
    with places.locked(LOCK):
        network = Network(_free_slot())
        claim(network)
        programs.run(["ip", "netns", "add", network.namespace], doing="making the node's network")
        _connect(network)
    return network


def remove(network: Network) -> None:
    """Take the network down; one that is gone already is no error."""
    with places.locked(LOCK):
        programs.attempt(["ip", "link", "delete", network.namespace])
        if network.path.exists():
            programs.run(
                ["ip", "netns", "delete", network.namespace], doing="removing the node's network"
            )


def _free_slot() -> int:
    taken = _addresses_here()
    for slot in range(1, SLOTS):
        network = Network(slot)
        subnet = IPv4Network((int(network.gateway) - 1, 30))
        if not network.path.exists() and not any(subnet.overlaps(other) for other in taken):
            return slot
    raise RehearsalError(
        f"{POOL} has no free network for another node",
        "`fab rehearsal-status` lists the nodes and their folders; `fab rehearsal-down --all` "
        "removes this folder's",
    )


def _addresses_here() -> tuple[IPv4Network, ...]:
    answer = programs.run(
        ["ip", "-json", "-4", "address"], doing="reading this machine's addresses"
    )
    return tuple(
        IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
        for link in json.loads(answer)
        for address in link.get("addr_info", ())
    )


def _connect(network: Network) -> None:
    here, name = network.namespace, INTERFACE
    commands = f"""
        link add {here} type veth peer name {name} netns {here}
        address add {network.gateway}/30 dev {here}
        -6 address add {network.gateway6}/64 dev {here} nodad
        link set {here} up
        -n {here} link set lo up
        -n {here} address add {network.address}/30 dev {name}
        -n {here} -6 address add {network.address6}/64 dev {name} nodad
        -n {here} link set {name} up
        -n {here} route add default via {network.gateway}
        -n {here} -6 route add default via {network.gateway6}
    """
    for line in commands.strip().splitlines():
        programs.run(["ip", *line.split()], doing="joining the node's network")
