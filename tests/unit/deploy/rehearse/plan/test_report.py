"""What a try has found is said in plain words."""

import pytest

from deploy.rehearse.plan.observation import Observation
from deploy.rehearse.plan.report import describe, notes, outcome, problem, rows
from deploy.rehearse.plan.search import Lines
from tests.unit.deploy.rehearse.plan.trials import capabilities, ended, judge, reply, seen, wrote


@pytest.mark.parametrize(
    ("what", "said", "advice"),
    [
        (ended("starting\nno DATABASE_URL", 3), "exit code 3", "ENV_NAME=value"),
        (ended(), "says nothing", "CONTAINER_COMMAND"),
        (seen(listening=(), replies=(), log="loading"), "listens at no port", "--seconds 60"),
        (
            seen(listening=("127.0.0.1:5000",), replies=(reply(5000),)),
            "listens at 127.0.0.1:5000 alone",
            "listen at 0.0.0.0",
        ),
        (seen(listening=("*:5432",), replies=()), "neither HTTP nor TLS", "answer HTTP"),
    ],
)
def test_an_image_that_never_serves_is_a_problem_with_its_cause_and_what_to_do(
    what: Observation, said: str, advice: str
) -> None:
    found, _ = judge(lambda _: what)

    wrong = problem(found)

    assert wrong
    assert said in wrong.message
    assert what.log in wrong.message
    assert advice in wrong.hint
    assert dict(rows(found))["usual hardening"].startswith("does not serve with it")


def test_an_image_that_needs_nothing_is_told_so() -> None:
    found, _ = judge(lambda _: seen())

    assert problem(found) is None
    assert list(notes(found)) == []
    assert dict(rows(found))["usual hardening"] == "serves with it: nothing to set"


def test_each_capability_is_told_with_what_it_permits() -> None:
    def image(lines: Lines) -> Observation:
        return seen() if "CHOWN" in capabilities(lines) else ended()

    found, _ = judge(image)

    assert ("capability", "CHOWN: it may give its files to any user") in list(rows(found))


def test_what_it_complains_about_while_it_serves_is_shown() -> None:
    found, _ = judge(lambda _: seen(log="up\nlog.txt: Read-only file system\n"))

    assert dict(rows(found))["serves, but says"] == "log.txt: Read-only file system"


@pytest.mark.parametrize(
    ("what", "note"),
    [
        (seen(listening=("*:8443",), replies=(reply(8443, scheme="https"),)), "speaks TLS itself"),
        (seen(replies=(reply(status=404),)), "set HEALTH_PATH"),
        (seen(written=wrote("usr/", "usr/bin/", "+usr/bin/x")), "writes /usr/bin/x beside"),
        (seen(written=wrote("app/", "+app/up/", "+app/up/1")), "VOLUMES stay over deploys"),
    ],
)
def test_what_to_know_of_the_settings_is_noted(what: Observation, note: str) -> None:
    found, _ = judge(lambda _: what)

    assert any(note in one for one in notes(found))


def test_a_trial_is_described_by_its_hardening() -> None:
    lines = {"CONTAINER_USER": "image", "READ_ONLY": "false", "VOLUMES": "a:/a"}

    assert describe({}) == "the app's user, read-only root, capabilities: none"
    assert "the image's own user, writable root" in describe(lines)
    assert describe(lines).endswith("with its folders")


def test_an_outcome_names_port_and_answer() -> None:
    assert outcome(seen()) == "listens at *:8080; plain HTTP at 8080: / answers 200"
    assert outcome(ended("bad")) == "ends with exit code 1: bad"
    assert outcome(seen(listening=(), replies=())) == "runs, and listens at no port"
