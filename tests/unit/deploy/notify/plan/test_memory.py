"""One message for each change of state."""

from datetime import timedelta

from deploy.notify.plan.memory import Told, decide
from deploy.notify.plan.notice import Finding
from tests.unit.deploy.notify.receivers import AT, BROKEN

WELL = Finding("drift", "shop-www", "web1", "none", "no drift", lasting=True)


def test_what_is_well_again_leaves_nothing_to_remember() -> None:
    _, told = decide([BROKEN], {}, AT)
    assert told.keys() == {BROKEN.key}

    news, told = decide([WELL], told, AT)

    assert [one.finding for one in news] == [WELL]
    assert told == {}


def test_a_time_to_come_in_the_memory_does_not_silence_a_reminder() -> None:
    _, told = decide([BROKEN], {}, AT + timedelta(days=400))

    news, _ = decide([BROKEN], told, AT)

    assert [one.reminder for one in news] == [True]


def test_a_state_is_kept_in_short_however_long_it_is() -> None:
    finding = Finding("drift", "a", "b", "\ud800" * 10**6, "x", trouble=True)

    _, told = decide([finding], {}, AT)

    (kept,) = told.values()
    assert isinstance(kept, Told)
    assert len(kept.state) == 16
