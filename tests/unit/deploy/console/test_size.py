"""Numbers of bytes are shown with three digits at most."""

import pytest

from deploy.console.size import size


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (2_500, "2.5 kB"),
        (999_900, "1 MB"),
        (80_911_519_744, "80.9 GB"),
        (2_000_000_000_000, "2 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(count: int, shown: str) -> None:
    assert size(count) == shown
