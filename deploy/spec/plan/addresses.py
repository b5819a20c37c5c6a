"""The user id of an app, and the addresses of its own network on a node."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal
from zlib import crc32

from deploy.settings.model import Settings

Slot = Literal["blue", "green"]
SLOTS: tuple[Slot, Slot] = ("blue", "green")
_FIRST_UID = 20_000
_UIDS = 20_000
# A part of 10.0.0.0/8 that few use; the IPv6 prefix was drawn at random (RFC 4193).
_POOL4 = IPv4Network("10.160.0.0/12")
_POOL6 = IPv6Network("fdc7:2b1e:9d40::/48")
_ADDRESSES = 16


def app_uid(app: str) -> int:
    """Choose the user id of an app: the same on every node, between 20000 and 39999."""
    return _FIRST_UID + crc32(app.encode()) % _UIDS


def subnets(settings: Settings) -> tuple[str, str]:
    """Choose the networks of an app, IPv4 and IPv6: derived from its name, unless set."""
    four, six = subnets_of(settings.app)
    return settings.subnet4 or four, settings.subnet6 or six


def subnets_of(app: str) -> tuple[str, str]:
    """Derive networks, IPv4 and IPv6, from the name of an app."""
    number = app_uid(app) - _FIRST_UID
    return f"{_POOL4[number * _ADDRESSES]}/28", f"{_POOL6[number << 64]}/64"


def address_values(settings: Settings, *, ipv6: bool = True) -> Mapping[str, str | tuple[str, ...]]:
    """Make the template values of the app's network.

    The gateway has the first address, the slots the next two; the upper half is for other
    containers.
    """
    four, six = (ip_network(one) for one in subnets(settings))
    upper4, upper6 = (list(one.subnets(prefixlen_diff=1))[1] for one in (four, six))
    addresses = [f"ip={four[at]}" + (f",ip6={six[at]}" if ipv6 else "") for at in (2, 3)]
    return {
        "SUBNET4": str(four),
        "SUBNET6": str(six),
        "GATEWAY4": str(four[1]),
        "RANGE4": str(upper4),
        "IPV6": str(ipv6).lower(),
        "NETWORK6": (str(six),) if ipv6 else (),
        "GATEWAY6": (str(six[1]),) if ipv6 else (),
        "RANGE6": (str(upper6),) if ipv6 else (),
        "SLOT": SLOTS,
        "SLOT_ADDRESSES": tuple(addresses),
        "SLOT_IPV4": (str(four[2]), str(four[3])),
        "SLOT_IPV6": (str(six[2]), str(six[3])),
        "SLOT_MAC": (_mac(int(four[2])), _mac(int(four[3]))),
    }


def _mac(address: int) -> str:
    """Make a locally administered MAC address: 02:cf, then the IPv4 address."""
    return "02:cf:" + address.to_bytes(4).hex(":")


def other(slot: str) -> Slot:
    """Choose the slot that a deploy goes to: the one that does not serve."""
    return "green" if slot == "blue" else "blue"
