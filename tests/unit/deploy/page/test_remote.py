"""A status page answers the commands that only look."""

import json

import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.page.plan.page import Page
from deploy.page.remote import PageRemote
from tests.unit.deploy.page.pages import AT, PLAIN

JOURNAL = "".join(
    f"{json.dumps({'app': app, 'n': n})}\n"
    for n, app in enumerate(("shop-www", "other", "node", "shop-www"))
)
ANSWERS = {"probe shop-www": '{"x": 1}', "audit-lines - 40": f"{JOURNAL}broken\n"}


def remote(now: float = AT) -> PageRemote:
    return PageRemote("192.0.2.1", Page.model_validate(PLAIN | {"answers": ANSWERS}), now)


def test_what_the_page_has_is_the_answer() -> None:
    assert remote().checked(Command("probe", ("shop-www",), b"token -\n"), "asking") == '{"x": 1}'


@pytest.mark.parametrize("app", ["shop-staging", "shop"])
def test_what_the_page_lacks_is_named(app: str) -> None:
    with pytest.raises(DeployError, match=f"has nothing about `probe {app}`"):
        remote().run(Command("probe", (app,)))


@pytest.mark.parametrize("script", ["stage", "undo", "prune"])
def test_nothing_is_changed(script: str) -> None:
    with pytest.raises(DeployError, match="has nothing about"):
        remote().run(Command(script, ("shop-www",)))
    with pytest.raises(DeployError, match="has SSH=off"):
        remote().hold(Command("lock", ("shop-www",)))
    with pytest.raises(DeployError, match="has SSH=off"):
        remote().relay("true", 0, 1, 2)


@pytest.mark.parametrize(
    ("app", "count", "numbers"),
    [
        ("shop-www", "9", [0, 2, 3]),
        ("shop-www", "1", [3]),
        ("-", "9", [0, 1, 2, 3]),
        ("new", "9", [2]),
    ],
)
def test_the_journal_is_chosen_from_as_the_script_does(
    app: str, count: str, numbers: list[int]
) -> None:
    said = remote().checked(Command("audit-lines", (app, count)), "asking")

    assert [json.loads(line)["n"] for line in said.splitlines()] == numbers


def test_trouble_is_the_pages_age() -> None:
    assert remote().trouble == ""
    assert "hours old" in remote(AT + 10_000).trouble
