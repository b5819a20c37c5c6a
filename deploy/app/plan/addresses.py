"""Compare the addresses of an app's network with those in use on the node."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from deploy.errors import DeployError
from deploy.node.state import Route


def refuse_clash(app: str, wanted: tuple[str, ...], routes: Iterable[Route]) -> None:
    """Check that the app's addresses are free on a node, and that its network there has them.

    Raises:
        DeployError: naming what uses them.
    """
    problems = tuple(_clashes(app, wanted, tuple(routes)))
    if problems:
        raise DeployError(
            f"the addresses of {app} clash on the node: " + "; ".join(problems),
            "choose free ones with SUBNET4 and SUBNET6; docs/switch.md says how a network that "
            "exists gets others",
        )


def _clashes(app: str, wanted: tuple[str, ...], routes: tuple[Route, ...]) -> Iterator[str]:
    own = {route.subnet for route in routes if route.network == app}
    if own and own != set(wanted):
        where = " on a node without IPv6" if len(wanted) == 1 else ""
        yield f"its network has {', '.join(sorted(own))}, and {', '.join(wanted)} is wanted{where}"
        return
    for one in wanted:
        network = ip_network(one)
        for route in routes:
            taken = ip_network(route.subnet, strict=False)
            same_family = taken.version == network.version
            if route.network != app and same_family and taken.overlaps(network):
                yield f"{one} overlaps {route.subnet} of {route.where}"
