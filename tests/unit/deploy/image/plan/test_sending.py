"""Rates in, choice out: the level of compression, and whether a patch is quicker."""

import pytest

from deploy.image.plan.sending import Rates, is_fast, level_for, patch_is_quicker, patch_level_for

MB = 1_000_000
LONG = 10**9


def steady(rates: Rates, share: float = 0.4) -> int:
    """Choose the level while plenty waits to be sent."""
    return level_for(rates, length=16 * MB, ahead=LONG, share=share)


@pytest.mark.parametrize(
    ("link", "level"), [(150e6, 1), (60e6, 3), (25e6, 7), (2.5e6, 12), (0.6e6, 19)]
)
def test_a_slower_link_is_worth_more_work(link: float, level: int) -> None:
    assert steady(Rates(link=link)) == level


@pytest.mark.parametrize(("speed", "level"), [(4.0, 19), (1.0, 12), (0.1, 7)])
def test_a_slower_processor_gets_less_work(speed: float, level: int) -> None:
    assert steady(Rates(link=2.5e6, speed=speed)) == level


def test_the_first_piece_does_not_let_the_link_wait() -> None:
    rates = Rates(link=2.5e6)

    levels = [level_for(rates, length=16 * MB, ahead=ahead) for ahead in (0, 16 * MB, 32 * MB)]

    assert levels == sorted(levels)
    assert levels[0] < levels[-1] == steady(rates)


@pytest.mark.parametrize("link", [150e6, 0.6e6])
def test_what_hardly_gets_smaller_is_sent_as_it_is(link: float) -> None:
    assert steady(Rates(link=link), share=0.99) == 0
    assert steady(Rates(link=link), share=0.95) > 0


def test_light_pieces_that_are_ready_are_kept_for_a_fast_link_alone() -> None:
    assert is_fast(Rates(link=25e6))
    assert not is_fast(Rates(link=2.5e6))


@pytest.mark.parametrize(
    ("link", "quicker"), [(150e6, False), (25e6, True), (2.5e6, True), (0.6e6, True)]
)
def test_a_large_layer_is_patched_where_the_link_is_slow(link: float, quicker: bool) -> None:  # noqa: FBT001
    assert patch_is_quicker(Rates(link=link), 286 * MB, 286 * MB) is quicker


def test_a_small_layer_is_sent_by_itself_since_starting_on_a_base_takes_longer() -> None:
    assert not patch_is_quicker(Rates(link=2.5e6), 280_000, 280_000)
    assert patch_is_quicker(Rates(link=50e3), 280_000, 280_000)


@pytest.mark.parametrize(
    "slower",
    [Rates(link=25e6, patch=10e6), Rates(link=25e6, write_out=10e6)],
    ids=["patching", "writing out"],
)
def test_patches_are_not_made_where_making_them_takes_longest(slower: Rates) -> None:
    assert patch_is_quicker(Rates(link=25e6), 286 * MB, 286 * MB)
    assert not patch_is_quicker(slower, 286 * MB, 286 * MB)


def test_patches_are_worth_more_work_on_a_slow_link() -> None:
    assert [patch_level_for(Rates(link=link)) for link in (50e6, 2.5e6, 0.6e6)] == [1, 3, 9]
