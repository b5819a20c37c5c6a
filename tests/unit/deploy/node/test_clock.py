"""A node's clock is compared with the local one."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.node.clock import difference

NOW = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
ALLOWED = timedelta(days=1)


@pytest.mark.parametrize("seconds", [0, 86400, -86400])
def test_a_difference_within_the_allowed_is_not_reported(seconds: int) -> None:
    assert difference(int(NOW.timestamp()) + seconds, NOW, allowed=ALLOWED) == ""


@pytest.mark.parametrize(("days", "word"), [(365, "ahead of"), (-365, "behind")])
def test_a_larger_difference_is_reported_with_its_direction(days: int, word: str) -> None:
    said = difference(int(NOW.timestamp()) + days * 86400, NOW, allowed=ALLOWED)

    assert said == f"the node's clock is 365 days, 0:00:00 {word} this machine's"
