"""When a renewal is due: by life, by advice, or for a name that is missing."""

from datetime import timedelta

from deploy.certificate.renew import due
from tests.certs.forge import Recipe, authority, forge
from tests.unit.deploy.examples import settings

LEAF = forge(Recipe(names=("shop.example.org", "www.example.org")), authority()).certificate
LIFE = LEAF.not_after - LEAF.not_before


def test_a_young_certificate_with_all_names_is_not_due() -> None:
    assert not due(LEAF, settings(), now=LEAF.not_before + LIFE / 10).due


def test_an_old_one_is_due() -> None:
    assert due(LEAF, settings(), now=LEAF.not_after - LIFE / 10).due


def test_the_authoritys_advice_makes_it_due_earlier() -> None:
    now = LEAF.not_before + LIFE / 10

    found = due(LEAF, settings(), now=now, at=now - timedelta(seconds=1))

    assert found.due
    assert "authority asks" in found.reason


def test_a_name_of_the_app_that_it_lacks_makes_it_due() -> None:
    names = "shop.example.org, new.example.org"

    found = due(LEAF, settings(CERT_NAMES=names), now=LEAF.not_before + LIFE / 10)

    assert found.due
    assert found.reason == "new.example.org is not among its names"
