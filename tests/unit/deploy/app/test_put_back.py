"""Whatever ends a deploy early, the node gets back what it served, and the operator hears so."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import pytest

from deploy.app.credentials import Credentials
from deploy.app.execute import ACTIONS, Execution, carry_out
from deploy.app.plan.steps import Kind, Step, release_steps, rollback_steps
from deploy.app.planner import DesiredState
from deploy.app.tls import Pair
from deploy.app.undo import run_steps, undo
from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, SaveCommand
from deploy.node.command import Command
from deploy.node.endpoint import Endpoint
from deploy.node.release import Manifest
from deploy.node.remote import Remote, Result
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.spec.render import render
from tests.unit.certs.forge import Recipe, chained, forge
from tests.unit.deploy.examples import WANTED, fresh, manifest, settings, state
from tests.unit.deploy.site import Site, page, refusing, serve

pytestmark = pytest.mark.usefixtures("clock")
MADE = forge(Recipe())
PAIR = Pair(chained(MADE), b"sealed")
GOAL = replace(WANTED, certificate=MADE.certificate.sha256)
LOST = DeployError("the connection to web1 was lost", "run it again")
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
NOWHERE = Endpoint("192.0.2.1", 443, "x")
Fault = Callable[[], Result]


@dataclass
class FakeRemote(Remote):
    """A node that writes down what it is told and fails where it is told to."""

    faults: dict[str, Fault] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        usual = {"state": "active 0\n", "logs": "one\ntwo\n"}
        fault = self.faults.get(command.script)
        return fault() if fault else Result(0, usual.get(command.script, ""), "")

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(command)

    def hold(self, command: Command) -> Result:
        return self.run(command)

    @property
    def scripts(self) -> list[str]:
        return [command.script for command in self.commands]


class Nowhere:
    """Where the image is named and nothing of it is kept."""

    def image(self) -> Image:
        return GOAL.image

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        raise DeployError("nothing is kept here")

    def save_command(self) -> SaveCommand:
        return SaveCommand(("true",), "docker-archive")


def refuses() -> Result:
    return Result(1, "", "no room\n")


def loses() -> Result:
    raise LOST


def interrupts() -> Result:
    raise KeyboardInterrupt


def execution(
    remote: FakeRemote, endpoint: Endpoint, before: NodeState, **values: object
) -> Execution:
    given = {"CERT_PASSWORD": "hunter2", "HEALTH_TIMEOUT_SECONDS": "1", "NODE_ADDRESS": "web1"}
    project = Project(Path(), settings(**given | values))
    export = Export(Nowhere(), Cache(Path(), 0))
    desired = DesiredState(render(project), GOAL, export, PAIR, Credentials(project.settings, None))
    manifest_ = manifest(GOAL, release="r2")
    return Execution(remote, project, endpoint, manifest_, before, desired=desired)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(page("200 OK"), MADE) as running:
        yield running


def before(site: Site | None = None) -> NodeState:
    held = manifest(GOAL, release="r1")
    return state(
        manifest=held.model_copy(update={"certificate": site.certificate}) if site else held,
        credentials={"cert_pass": "different"},
    )


def deploy(made: Execution) -> Manifest:
    steps = tuple(release_steps(GOAL, made.before))
    return run_steps(made, steps, proof_seconds=0.2)


def failure(made: Execution) -> DeployError:
    with pytest.raises(DeployError) as caught:
        deploy(made)
    return caught.value


@pytest.mark.loopback
def test_a_deploy_that_works_puts_nothing_back(site: Site) -> None:
    remote = FakeRemote()

    deploy(execution(remote, site.endpoint, before(site)))
    assert remote.scripts == [*SCRIPTS, "retire"]


@pytest.mark.loopback
def test_secrets_and_content_go_on_stdin_alone(site: Site) -> None:
    remote = FakeRemote()

    deploy(execution(remote, site.endpoint, before(site)))
    assert [command.script for command in remote.commands if b"hunter2" in command.stdin] == [
        "seal"
    ]
    assert "hunter2" not in repr(remote.commands)
    assert b"server.key.enc" in remote.commands[0].stdin


@pytest.mark.loopback
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_step_that_fails_is_undone_and_what_served_is_proven(site: Site, script: str) -> None:
    remote = FakeRemote({script: refuses})

    error = failure(execution(remote, site.endpoint, before(site)))
    # Before the new release is started, no log says what went wrong.
    told = SCRIPTS.index(script) >= SCRIPTS.index("start")
    assert remote.scripts[-2 - told :] == [script, *["logs"] * told, "undo"]
    assert error.message.splitlines() == [
        f"{DOING[script]} failed on the node: no room",
        *[LAST_LINES, "  | one", "  | two"] * told,
        "release r1 serves again, proven over HTTPS",
    ]


@pytest.mark.loopback
def test_a_release_that_is_not_healthy_is_undone(site: Site) -> None:
    site.answer = page("500 Oh")
    remote = FakeRemote()

    error = failure(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == ["logs", "undo"]
    assert "finish" not in remote.scripts
    assert "not healthy within 1 s: the health path answers 500" in error.message
    assert "release r1 was put back, but does not answer: " in error.message
    assert "HEALTH_PATH" in error.hint


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("failed 0", "the app is failed"),
        ("inactive 0", "the app is inactive"),
        ("activating 3", "the app was restarted 3 times"),
    ],
)
def test_an_app_that_died_is_not_waited_for(said: str, why: str) -> None:
    remote = FakeRemote({"state": lambda: Result(0, f"{said}\n", "")})
    patient = execution(remote, refusing(), before(), HEALTH_TIMEOUT_SECONDS="3600")

    assert f"/: {why}: ConnectionRefusedError" in failure(patient).message


@pytest.mark.loopback
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_interrupt_at_any_step_is_raised_again_after_putting_back(
    site: Site, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = FakeRemote({script: interrupts})

    with pytest.raises(KeyboardInterrupt):
        deploy(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == [script, "undo"]
    assert "release r1 serves again, proven over HTTPS" in capsys.readouterr().out


@pytest.mark.loopback
def test_whatever_else_ends_a_deploy_is_raised_again_after_putting_back(site: Site) -> None:
    def breaks() -> Result:
        raise RuntimeError("a prompt was left with Ctrl-C")

    remote = FakeRemote({"seal": breaks})
    with pytest.raises(RuntimeError, match="a prompt was left"):
        deploy(execution(remote, site.endpoint, before(site)))
    assert remote.scripts[-2:] == ["seal", "undo"]


def test_a_first_deploy_that_fails_leaves_nothing_deployed() -> None:
    remote = FakeRemote({"start": refuses})
    empty = fresh(layers=state().layers)

    error = failure(execution(remote, NOWHERE, empty))
    assert remote.scripts[-3:] == ["start", "logs", "undo"]
    assert error.message.endswith("shop-www is as it was: nothing deployed")


def test_a_connection_that_is_lost_says_what_the_next_deploy_does() -> None:
    remote = FakeRemote({"start": loses, "logs": loses, "undo": loses})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.splitlines() == [
        LOST.message,
        f"{LOST.message}: the next `fab deploy` puts back what this one changed",
    ]
    assert error.hint == "run it again"


def test_a_release_that_somebody_else_deployed_meanwhile_is_named() -> None:
    remote = FakeRemote({"stage": refuses, "undo": lambda: Result(0, "r7\n", "")})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.endswith("release r7 serves, which another deploy brought meanwhile")


@pytest.mark.loopback
def test_an_old_slot_that_is_not_stopped_is_no_failure_of_what_serves(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = FakeRemote({"retire": loses})

    deploy(execution(remote, site.endpoint, before(site)))

    assert "undo" not in remote.scripts
    assert "recorded and serves" in capsys.readouterr().err


def test_a_step_that_fails_is_shown_with_a_cross(capsys: pytest.CaptureFixture[str]) -> None:
    made = execution(FakeRemote({"move": refuses}), NOWHERE, before())
    carry_out(made, Step("start", "Start slot green", "slot green started"))
    with pytest.raises(DeployError):
        carry_out(made, Step("move", "Move the front door", "front door moved"))

    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("✓ slot green started ")
    assert last == "✗ Move the front door"


def test_every_kind_of_step_has_one_function_that_carries_it_out() -> None:
    assert set(ACTIONS) == set(get_args(Kind))


@pytest.mark.loopback
def test_a_release_is_recorded_with_the_seconds_of_each_step_before(site: Site) -> None:
    remote = FakeRemote()

    made = deploy(execution(remote, site.endpoint, before(site)))

    assert made.health == "healthy"
    assert list(made.seconds) == [
        *("stage", "image", "files", "seal cert_pass", "start", "check", "move", "prove")
    ]
    (recorded,) = (one.stdin for one in remote.commands if one.script == "finish")
    assert Manifest.model_validate_json(recorded) == made


@pytest.mark.loopback
def test_a_rollback_needs_nothing_but_what_the_node_keeps(site: Site) -> None:
    remote = FakeRemote()
    made = replace(execution(remote, site.endpoint, before(site)), desired=None)

    rolled_back = run_steps(made, tuple(rollback_steps("slots", "blue", "r0")))

    assert remote.commands[0].arguments == ("shop-www", "r2", "r0", "r1")
    assert remote.scripts == ["stage-again", *SCRIPTS[3:], "retire"]
    assert list(rolled_back.seconds) == ["stage", "start", "check", "move", "prove"]


@pytest.mark.parametrize(("switch", "lines"), [("slots", 0), ("restart", 2)])
def test_a_node_whose_old_slot_stops_gets_what_puts_it_back_without_us(
    switch: str, lines: int
) -> None:
    remote = FakeRemote()

    carry_out(execution(remote, NOWHERE, before(), SWITCH=switch), Step("start", "", ""))

    assert remote.commands[0].stdin.count(b"\n") == lines


@pytest.mark.program
def test_what_is_put_back_is_written_down(tmp_path: Path) -> None:
    remote = FakeRemote()

    undo(remote, Project(tmp_path, settings()), "r9")

    assert remote.scripts == ["undo", "audit"]
    assert '"release": "r9"' in remote.commands[1].arguments[0]


def test_putting_back_that_fails_is_told() -> None:
    remote = FakeRemote({"start": refuses, "undo": refuses})

    error = failure(execution(remote, NOWHERE, before()))
    assert error.message.endswith("putting back failed: no room; the next `fab deploy` tries again")
