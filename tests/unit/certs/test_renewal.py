"""When a certificate is due."""

from datetime import datetime, timedelta

import pytest

from certs.renewal import renewal
from tests.unit.certs.forge import DAY, NOW, Recipe, forge


def lives(days: float) -> Recipe:
    return Recipe(start=NOW, end=NOW + days * DAY)


@pytest.mark.parametrize(("life", "day"), [(90, 60), (30, 20), (10, 5), (6, 3)])
def test_it_is_due_from_its_day_on_and_not_a_second_before(life: float, day: float) -> None:
    certificate = forge(lives(life)).certificate
    moment = NOW + day * DAY

    early = renewal(certificate, now=moment - timedelta(seconds=1))
    late = renewal(certificate, now=moment)

    assert (early.due, late.due) == (False, True)
    assert early.reason == f"not before {moment:%Y-%m-%d %H:%M} UTC"


@pytest.mark.parametrize(
    ("suggested", "at"), [(NOW + 10 * DAY, NOW + 10 * DAY), (NOW + 80 * DAY, NOW + 60 * DAY)]
)
def test_the_authority_can_only_make_it_earlier(suggested: datetime, at: datetime) -> None:
    certificate, second = forge(lives(90)).certificate, timedelta(seconds=1)

    assert not renewal(certificate, now=at - second, suggested=suggested).due
    assert renewal(certificate, now=at, suggested=suggested).due


def test_an_expired_one_says_so() -> None:
    assert renewal(forge(lives(90)).certificate, now=NOW + 91 * DAY).reason == "it has expired"
