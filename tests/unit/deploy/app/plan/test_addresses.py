"""A deploy is refused when an app's addresses are in use on the node."""

import pytest

from deploy.app.plan.addresses import refuse_clash
from deploy.errors import DeployError
from deploy.node.state import Route

WANTED = ("10.160.0.0/28", "fdc7:2b1e:9d40::/64")


def test_the_apps_own_network_and_others_beside_it_are_no_clash() -> None:
    routes = [Route(subnet=one, interface="podman1", network="shop-www") for one in WANTED]
    routes += [
        Route(subnet="10.160.0.16/28", interface="eth0"),
        Route(subnet="::/1", interface="x"),
    ]

    refuse_clash("shop-www", WANTED, routes[:3])


def test_a_network_with_ipv6_on_a_node_without_is_named() -> None:
    own = [Route(subnet=one, interface="podman1", network="shop-www") for one in WANTED]

    refuse_clash("shop-www", WANTED[:1], own[:1])
    with pytest.raises(DeployError, match=r"and 10\.160\.0\.0/28 is wanted on a node without IPv6"):
        refuse_clash("shop-www", WANTED[:1], own)


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (
            Route(subnet="10.160.0.9/8", interface="eth0"),
            "10.160.0.0/28 overlaps 10.160.0.9/8 of eth0",
        ),
        (
            Route(subnet="fdc7:2b1e::/32", interface="podman7", network="mail"),
            "fdc7:2b1e:9d40::/64 overlaps fdc7:2b1e::/32 of podman network mail",
        ),
        (
            Route(subnet="10.9.0.0/28", interface="podman1", network="shop-www"),
            "its network has 10.9.0.0/28, and 10.160.0.0/28, fdc7:2b1e:9d40::/64 is wanted",
        ),
    ],
)
def test_a_clash_names_what_uses_the_addresses(route: Route, says: str) -> None:
    with pytest.raises(DeployError) as caught:
        refuse_clash("shop-www", WANTED, [route])

    assert says in caught.value.message
    assert "SUBNET4" in caught.value.hint
