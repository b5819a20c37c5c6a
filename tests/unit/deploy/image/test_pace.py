"""How hard to compress follows from how fast the link is."""

import pytest

from deploy.image.wire.level import Pace

MIB = 1 << 20


@pytest.mark.parametrize(
    ("rate", "level"),
    [(1e9, 1), (41e6, 1), (39e6, 3), (20e6, 3), (2.6e6, 3), (2.4e6, 9), (150e3, 9), (90e3, 19)],
)
def test_a_slower_link_is_worth_more_work(rate: float, level: int) -> None:
    pace = Pace(cores=2)
    pace.add(4 * MIB, 0.0)
    pace.add(int(rate), 1.0)

    assert pace.level == level


@pytest.mark.parametrize(("round_trip", "level"), [(0.001, 1), (0.02, 3)])
def test_before_anything_was_sent_the_distance_decides(round_trip: float, level: int) -> None:
    assert Pace(round_trip=lambda: round_trip).level == level


def test_what_only_fills_buffers_decides_nothing() -> None:
    pace = Pace()
    pace.add(3 * MIB, 100.0)

    assert pace.level == 3
