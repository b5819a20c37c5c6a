"""What counts as a change of state, and what a message says."""

from deploy.notify.plan import events
from deploy.notify.plan.events import Where

AT = Where("shop-www", "web1")


def test_a_failed_deploy_shows_its_first_line_and_what_serves() -> None:
    found = events.failed(
        AT, "deploy", "running migrate failed on web1: bad\nDB_URL=x", "r1 serves", restored=True
    )

    assert found.text == "running migrate failed on web1: bad\nr1 serves"
    assert found.state == events.failed(AT, "rollback", "other", "r2 serves", restored=True).state


def test_a_deploy_that_could_not_be_undone_is_another_state() -> None:
    one = events.failed(AT, "deploy", "x", "y", restored=True)
    other = events.failed(AT, "deploy", "x", "y", restored=False)

    assert one.state != other.state
    assert "not proven" in other.title


def test_drift_is_the_same_whatever_the_order_and_what_is_found_there() -> None:
    one = events.drift(AT, [("mode", "/a"), ("content", "/b")])
    other = events.drift(AT, [("content", "/b"), ("mode", "/a"), ("mode", "/a")])

    assert one == other
    assert one.title == "web1 differs from its machine spec or release (2)"
    assert one.state != events.drift(AT, [("mode", "/a")]).state


def test_a_day_less_is_no_news_of_a_certificate() -> None:
    def state(days: int | None) -> str:
        return events.certificates(AT, [("served", days)], 30).state

    assert state(29) == state(7) != state(6) == state(0) != state(-1) != state(None)
    assert events.certificates(AT, [("served", 30)], 30).lasting


def test_a_message_about_certificates_has_the_days() -> None:
    found = events.certificates(AT, [("node", 12), ("served", None), ("here", 90)], 30)

    assert found.text.splitlines() == [
        "node: 12 days left",
        "served: there is none",
        "`fab cert-status`",
    ]
