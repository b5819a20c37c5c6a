"""Certificates are judged by their days and by whether every place has the same."""

from datetime import timedelta

import pytest

from deploy.inventory.places import Place, cells, facts, findings
from tests.unit.certs.forge import NOW, Recipe, authority, forge

ROOT = authority()
ONE = forge(Recipe(names=("www.example.org",)), ROOT).certificate
OTHER = forge(Recipe(names=("www.example.org",)), ROOT).certificate
END = ONE.not_after


def judged(*places: Place, days: float = 60) -> list[tuple[str, bool]]:
    now = END - timedelta(days=days)
    return [(one.text, one.is_error) for one in findings(places, warn_days=30, now=now)]


def test_the_same_everywhere_with_time_left_is_fine() -> None:
    assert judged(Place("workstation", ONE), Place("node", ONE), Place("served", ONE)) == []


@pytest.mark.parametrize(
    ("days", "text", "is_error"),
    [
        (30.5, None, False),
        (29.5, "29 days left", False),
        (7.5, "7 days left", False),
        (6.9, "6 days left", True),
        (0.5, "0 days left", True),
        (-0.5, "expired", True),
    ],
)
def test_few_days_are_a_warning_and_very_few_an_error(
    days: float, text: str | None, *, is_error: bool
) -> None:
    found = judged(Place("node", ONE), days=days)

    assert found == ([(f"node: {text}", is_error)] if text else [])


def test_disagreement_and_a_place_without_one_are_errors() -> None:
    (difference,) = judged(Place("node", ONE), Place("served", OTHER))
    assert difference[1]
    assert "certificates differ" in difference[0]

    missing, difference = judged(Place("node", ONE), Place("served", None, "no answer"))
    assert missing == ("served: no answer", True)
    assert "certificates differ" in difference[0]


def test_json_has_every_fact_of_a_place_and_the_table_a_few() -> None:
    found = facts(Place("node", ONE), NOW)

    assert found["sha256"] == ONE.sha256
    assert {"subject", "names", "issuer", "serial", "days_left", "key_type"} <= found.keys()
    assert ONE.sha256[:16] in cells(Place("node", ONE), NOW)
    assert facts(Place("node", None, "gone"), NOW) == {"where": "node", "trouble": "gone"}
    assert len(cells(Place("node", None), NOW)) == len(cells(Place("node", ONE), NOW))
