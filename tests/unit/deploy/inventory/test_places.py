"""Certificates are judged by their days and by whether every place has the same."""

from datetime import timedelta

import pytest

from deploy.inventory.places import Row, cells, facts, findings
from tests.certs.forge import NOW, Recipe, authority, forge

ROOT = authority()
ONE = forge(Recipe(names=("www.example.org",)), ROOT).certificate
OTHER = forge(Recipe(names=("www.example.org",)), ROOT).certificate
END = ONE.not_after


def judged(*rows: Row, days: float = 60) -> list[tuple[str, bool]]:
    now = END - timedelta(days=days)
    return [(one.text, one.is_error) for one in findings(rows, warn_days=30, now=now)]


def test_the_same_everywhere_with_time_left_is_fine() -> None:
    assert judged(Row("workstation", ONE), Row("node", ONE), Row("served", ONE)) == []


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
    found = judged(Row("node", ONE), days=days)

    assert found == ([(f"node: {text}", is_error)] if text else [])


def test_disagreement_and_a_place_without_one_are_errors() -> None:
    (difference,) = judged(Row("node", ONE), Row("served", OTHER))
    assert difference[1]
    assert "do not agree" in difference[0]

    missing, difference = judged(Row("node", ONE), Row("served", None, "no answer"))
    assert missing == ("served: no answer", True)
    assert "do not agree" in difference[0]


def test_a_place_is_told_whole_to_programs_and_in_short_to_people() -> None:
    told = facts(Row("node", ONE), NOW)

    assert told["sha256"] == ONE.sha256
    assert {"subject", "names", "issuer", "serial", "days_left", "key_type"} <= told.keys()
    assert ONE.sha256[:16] in cells(Row("node", ONE), NOW)
    assert facts(Row("node", None, "gone"), NOW) == {"where": "node", "trouble": "gone"}
    assert len(cells(Row("node", None), NOW)) == len(cells(Row("node", ONE), NOW))
