"""An app's addresses follow from its name or its settings."""

from hypothesis import given

from deploy.spec.plan.addresses import address_values, other, subnets
from tests.unit.deploy.examples import settings
from tests.unit.deploy.spec.plan.test_values import NAMES


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
    assert values["RANGE6"] == ("2001:db8:0:0:8000::/65",)


def test_a_network_without_ipv6_has_no_word_of_it() -> None:
    values = address_values(settings(), ipv6=False)

    assert (values["IPV6"], values["NETWORK6"], values["GATEWAY6"], values["RANGE6"]) == (
        *("false", (), (), ()),
    )
    assert values["SLOT_ADDRESSES"] == ("ip=10.161.120.2", "ip=10.161.120.3")


def test_a_deploy_goes_to_the_slot_that_does_not_serve() -> None:
    assert [other(slot) for slot in ("", "blue", "green")] == ["blue", "green", "blue"]
