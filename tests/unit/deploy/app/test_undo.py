"""Whatever ends a deploy early is undone, and the error says what serves then."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.app.execution import Execution
from deploy.app.plan.desired_state import Switch
from deploy.app.plan.steps import release_steps, rollback_steps
from deploy.app.undo import run_steps, undo
from deploy.errors import DeployError
from deploy.node.release import Manifest
from deploy.project import Project
from tests.unit.deploy.app.shop import MADE, NOWHERE, SHOWN, before, execution
from tests.unit.deploy.examples import fresh, settings, state
from tests.unit.deploy.fake_remote import Answer, FakeRemote, lost, refusal
from tests.unit.deploy.site import Site, page, refusing, serve

pytestmark = pytest.mark.usefixtures("clock")
REFUSED = refusal("no space left")
LOST = lost()
# What a deploy runs on the node, and what a message calls it.
DOING = {
    "stage": "staging the release",
    "tag-image": "tagging the image",
    "seal": "sealing cert_pass",
    "start": "starting slot green",
    "prove-slot": "checking slot green",
    "move": "moving the front door",
    "finish": "recording the release",
}
SCRIPTS = list(DOING)
LAST_LINES = "last lines of release r2 (it is kept, stopped: `fab logs --release r2`):"


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(page("200 OK"), MADE) as running:
        yield running


def node(answers: dict[str, Answer] | None = None) -> FakeRemote:
    """Make a node whose app has written two lines."""
    return FakeRemote({"logs": "one\ntwo\n", **(answers or {})})


def run(made: Execution) -> Manifest:
    steps = tuple(release_steps(SHOWN, made.before))
    return run_steps(made, steps)


def failure(made: Execution) -> DeployError:
    with pytest.raises(DeployError) as caught:
        run(made)
    return caught.value


@pytest.mark.loopback
def test_a_deploy_that_succeeds_is_not_undone(site: Site) -> None:
    remote = node()

    run(execution(remote, site.endpoint, before(site)))
    assert remote.scripts == [*SCRIPTS, "retire"]


@pytest.mark.loopback
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_failed_step_is_undone_and_the_release_before_is_checked(site: Site, script: str) -> None:
    remote = node({script: REFUSED})

    error = failure(execution(remote, site.endpoint, before(site)))
    # A release that was not started has no log.
    started = SCRIPTS.index(script) >= SCRIPTS.index("start")
    assert remote.scripts[-2 - started :] == [script, *["logs"] * started, "undo"]
    assert error.message.splitlines() == [
        f"{DOING[script]} failed on the node: no space left",
        *[LAST_LINES, "  | one", "  | two"] * started,
        "release r1 serves again, proven over HTTPS",
    ]


@pytest.mark.loopback
def test_an_unhealthy_release_is_undone(site: Site) -> None:
    site.answer = page("500 Oh")
    remote = node()

    error = failure(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == ["logs", "undo"]
    assert "finish" not in remote.scripts
    assert "not healthy within 1 s: the health path answers 500" in error.message
    assert "release r1 was restored, but is not healthy: " in error.message
    assert "HEALTH_PATH" in error.hint


@pytest.mark.loopback
@pytest.mark.parametrize(("path", "name"), [("/new", "www.example.org"), ("/", "new.example.org")])
def test_what_was_restored_is_checked_as_it_was_deployed(site: Site, path: str, name: str) -> None:
    def only_the_old(tls: socket.socket) -> None:
        asked = site.requests[-1]
        old = asked.startswith(b"GET / ") and b"Host: www.example.org:" in asked
        page("200 OK" if old else "404 No")(tls)

    site.answer = only_the_old
    held = execution(node(), site.endpoint, before()).proof
    state = before(site)
    assert state.manifest
    state = state.model_copy(update={"manifest": state.manifest.model_copy(update={"proof": held})})

    new = replace(site.endpoint, host=name)
    error = failure(execution(node(), new, state, HEALTH_PATH=path))

    assert "the health path answers 404" in error.message
    assert error.message.endswith("release r1 serves again, proven over HTTPS")


@pytest.mark.loopback
def test_what_was_restored_is_checked_where_it_was_deployed(site: Site) -> None:
    held = execution(node(), site.endpoint, before()).proof
    state = before(site)
    assert state.manifest
    state = state.model_copy(update={"manifest": state.manifest.model_copy(update={"proof": held})})

    error = failure(execution(node(), refusing(), state))

    assert error.message.endswith("release r1 serves again, proven over HTTPS")


def test_project_files_that_changed_on_the_node_are_reported_after_the_undo(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = "project files of release r1 on this node are not those that were listed"
    remote = node({"stage": REFUSED, "undo": f"r7\n{changed}\n"})

    error = failure(execution(remote, NOWHERE, before()))

    assert error.message.endswith("release r7 serves: another deploy ran meanwhile")
    assert f"warning: {changed}" in capsys.readouterr().err


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("failed 0", "the app is failed"),
        ("inactive 0", "the app is inactive"),
        ("activating 3", "the app was restarted 3 times"),
    ],
)
def test_an_app_that_died_is_not_waited_for(printed: str, why: str) -> None:
    remote = node({"state": f"{printed}\n"})
    patient = execution(remote, refusing(), before(), HEALTH_TIMEOUT_SECONDS="3600")

    assert f"/: {why}: ConnectionRefusedError" in failure(patient).message


@pytest.mark.loopback
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_interrupt_at_any_step_is_raised_again_after_the_undo(
    site: Site, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = node({script: KeyboardInterrupt()})

    with pytest.raises(KeyboardInterrupt):
        run(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == [script, "undo"]
    assert "release r1 serves again, proven over HTTPS" in capsys.readouterr().out


@pytest.mark.loopback
def test_any_other_exception_is_raised_again_after_the_undo(site: Site) -> None:
    remote = node({"seal": RuntimeError("a prompt was left with Ctrl-C")})
    with pytest.raises(RuntimeError, match="a prompt was left"):
        run(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == ["seal", "undo"]


def test_a_first_deploy_that_fails_leaves_nothing_deployed() -> None:
    remote = node({"start": REFUSED})
    empty = fresh(layers=state().layers)

    error = failure(execution(remote, NOWHERE, empty))
    assert remote.scripts[-3:] == ["start", "logs", "undo"]
    assert error.message.endswith("shop-www is as it was: nothing deployed")


def test_a_lost_connection_says_what_the_next_deploy_does() -> None:
    remote = node({"start": LOST, "logs": LOST, "undo": LOST})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.splitlines() == [
        LOST.message,
        f"{LOST.message}: the next `fab deploy` undoes this one",
    ]
    assert error.hint == "run the same command again"


def test_a_release_of_another_deploy_meanwhile_is_named() -> None:
    remote = node({"stage": REFUSED, "undo": "r7\n"})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.endswith("release r7 serves: another deploy ran meanwhile")


@pytest.mark.loopback
def test_an_old_slot_that_does_not_stop_is_only_warned_of(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = node({"retire": LOST})

    run(execution(remote, site.endpoint, before(site)))

    assert "undo" not in remote.scripts
    assert "recorded and serves" in capsys.readouterr().err


@pytest.mark.loopback
def test_a_release_is_recorded_with_the_seconds_of_each_step(site: Site) -> None:
    remote = node()

    made = run(execution(remote, site.endpoint, before(site)))

    assert made.health == "healthy"
    assert list(made.seconds) == [
        *("stage", "image", "files", "seal cert_pass", "start", "check", "move", "prove")
    ]
    (recorded,) = (one.stdin for one in remote.commands if one.script == "finish")
    assert Manifest.model_validate_json(recorded) == made


@pytest.mark.loopback
def test_a_rollback_sends_no_files_image_or_credentials(site: Site) -> None:
    remote = node()
    made = replace(execution(remote, site.endpoint, before(site)), artifacts=None)

    rolled_back = run_steps(made, tuple(rollback_steps(Switch("slots"), "blue", "r0")))

    assert remote.commands[0].arguments == ("shop-www", "r2", "r0", "r1")
    assert remote.scripts == ["stage-again", *SCRIPTS[3:], "retire"]
    assert list(rolled_back.seconds) == ["stage", "start", "check", "move", "prove"]


@pytest.mark.program
def test_an_undo_is_recorded_in_the_journal(tmp_path: Path) -> None:
    remote = node()

    undo(remote, Project(tmp_path, settings()), "r9")

    assert remote.scripts == ["undo", "audit"]
    assert '"release": "r9"' in remote.commands[1].arguments[0]


def test_a_failed_undo_is_reported() -> None:
    remote = node({"start": REFUSED, "undo": REFUSED})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.endswith("undo failed: no space left; the next `fab deploy` tries again")
