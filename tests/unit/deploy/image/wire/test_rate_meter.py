"""What is measured while sending becomes the rates by which the rest is sent."""

import pytest

from deploy.image.plan.sending import Rates
from deploy.image.wire.rate_meter import RateMeter

MIB = 1 << 20
KNOWN = Rates(link=5e6, speed=2.0, patch=50e6, cores=2)


def test_before_anything_is_measured_earlier_rates_hold() -> None:
    assert RateMeter(KNOWN).rates == KNOWN


@pytest.mark.parametrize(("seconds", "link"), [(0.004, 2e8), (0.005, 20e6), (0.12, 1e5 / 0.12)])
def test_of_a_node_never_sent_to_the_distance_gives_a_guess(seconds: float, link: float) -> None:
    assert RateMeter(round_trip=lambda: seconds).rates.link == pytest.approx(link)


def test_what_only_fills_buffers_says_nothing_of_the_link() -> None:
    meter = RateMeter(KNOWN)
    meter.add_sent(2 * MIB, 100.0)

    assert meter.rates.link == pytest.approx(5e6)
    assert not meter.knows_link


def test_the_link_is_what_was_sent_beyond_the_buffers_a_second() -> None:
    meter = RateMeter(KNOWN)
    meter.add_sent(2 * MIB, 0.0)
    for _ in range(200):
        meter.add_sent(MIB, 1.0)

    assert meter.rates.link == pytest.approx(MIB, rel=0.01)
    assert meter.knows_link


def test_work_is_measured_of_compressing_and_of_patches_apart() -> None:
    meter = RateMeter(KNOWN)
    meter.add_work("plain", 1.0, 4.0)
    meter.add_work("patch", 30e6, 1.0)

    assert (meter.rates.speed, meter.rates.patch) == (0.25, 30e6)
