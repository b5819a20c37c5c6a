"""Which network a slot number stands for."""

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.network import POOL, POOL6, SLOTS, Network

slots = st.integers(min_value=1, max_value=SLOTS - 1)


@given(slots)
def test_both_ends_lie_in_the_pools_and_in_one_subnet(slot: int) -> None:
    network = Network(slot)

    assert network.gateway in POOL
    assert network.address in POOL
    assert network.gateway6 in POOL6
    assert network.address6 in POOL6
    assert int(network.gateway) // 4 == int(network.address) // 4
    assert int(network.gateway6) >> 64 == int(network.address6) >> 64


@given(slots, slots)
def test_two_slots_share_nothing(one: int, other: int) -> None:
    left, right = Network(one), Network(other)

    assert (left.address == right.address) == (one == other)
    assert (left.address6 == right.address6) == (one == other)


@given(slots)
def test_the_name_fits_an_interface(slot: int) -> None:
    assert len(Network(slot).namespace) <= 15
