"""An app's addresses follow from its name, and clash with nobody's."""

import pytest
from hypothesis import given

from deploy.errors import DeployError
from deploy.node.state import Route
from deploy.spec.plan.addresses import address_values, other, refuse_clash, subnets
from tests.unit.deploy.examples import settings
from tests.unit.deploy.spec.plan.test_values import NAMES

WANTED = ("10.160.0.0/28", "fdc7:2b1e:9d40::/64")


def test_an_apps_addresses_never_change() -> None:
    assert subnets(settings()) == ("10.161.120.0/28", "fdc7:2b1e:9d40:1780::/64")


@given(NAMES)
def test_every_name_has_addresses(name: str) -> None:
    values = address_values(settings(PROJECT=name[:20].rstrip("-")))

    assert len({values["GATEWAY4"], *values["SLOT_IPV4"]}) == 3
    assert len({values["GATEWAY6"], *values["SLOT_IPV6"]}) == 3


def test_addresses_can_be_set() -> None:
    values = address_values(settings(SUBNET4="192.0.2.0/28", SUBNET6="2001:db8::/64"))

    assert values["GATEWAY4"] == "192.0.2.1"
    assert values["SLOT_IPV4"] == ("192.0.2.2", "192.0.2.3")
    assert values["RANGE4"] == "192.0.2.8/29"
    assert values["SLOT_MAC"] == ("02:cf:c0:00:02:02", "02:cf:c0:00:02:03")
    assert values["SLOT_IPV6"] == ("2001:db8::2", "2001:db8::3")
    assert values["RANGE6"] == "2001:db8:0:0:8000::/65"


def test_a_deploy_goes_to_the_slot_that_does_not_serve() -> None:
    assert [other(slot) for slot in ("", "blue", "green")] == ["blue", "green", "blue"]


def test_the_apps_own_network_and_others_beside_it_are_no_clash() -> None:
    routes = [Route(subnet=one, interface="podman1", network="shop-www") for one in WANTED]
    routes += [
        Route(subnet="10.160.0.16/28", interface="eth0"),
        Route(subnet="::/1", interface="x"),
    ]

    refuse_clash("shop-www", WANTED, routes[:3])


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
