"""Each step runs its script on the node, with secrets and content on stdin."""

import io
import tarfile
from dataclasses import replace
from typing import get_args

import pytest

from deploy.app.execute import ACTIONS, carry_out
from deploy.app.plan.desired_state import Switch
from deploy.app.plan.steps import Kind, Step, rollback_steps
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint
from deploy.spec.plan.addresses import app_uid
from tests.unit.deploy.app.shop import NOWHERE, PASSWORD, before, execution
from tests.unit.deploy.fake_remote import FakeRemote, refusal


def step(kind: Kind, *, credential: str = "") -> Step:
    return Step(kind, "Title", "done", credential)


def test_a_failed_step_is_shown_with_a_cross(capsys: pytest.CaptureFixture[str]) -> None:
    made = execution(FakeRemote({"move": refusal("no")}), NOWHERE, before())
    carry_out(made, Step("start", "Start slot green", "slot green started"))
    with pytest.raises(DeployError):
        carry_out(made, Step("move", "Move the front door", "front door moved"))

    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("✓ slot green started ")
    assert last == "✗ Move the front door"


def test_every_kind_of_step_has_a_function() -> None:
    assert set(ACTIONS) == set(get_args(Kind))


def test_secrets_and_content_go_on_stdin(remote: FakeRemote) -> None:
    made = execution(remote, NOWHERE, before())

    carry_out(made, step("stage"))
    carry_out(made, step("seal", credential="cert_pass"))

    stage, seal = remote.commands
    assert stage.arguments == ("shop-www", "r2", "r1", "cert_pass")
    assert all(name in stage.stdin for name in (b"root/etc/", b"server.key.enc", b"manifest.json"))
    assert (seal.arguments, seal.stdin) == (("shop-www", "r2", "cert_pass"), PASSWORD.encode())
    assert PASSWORD not in repr(remote.commands)
    with tarfile.open(fileobj=io.BytesIO(stage.stdin)) as archive:
        key, certificate = (
            archive.getmember("tls/server.key.enc"),
            archive.getmember("tls/server.crt"),
        )
    uid = app_uid("shop-www")
    assert (key.mode, key.uid, key.gid) == (0o400, uid, uid)
    assert (certificate.mode, certificate.uid, certificate.gid) == (0o644, 0, 0)


def test_an_image_on_the_node_is_only_tagged(remote: FakeRemote) -> None:
    made = execution(remote, NOWHERE, before())

    carry_out(made, step("image"))

    assert remote.scripts == ["tag-image"]
    assert remote.the("tag-image").arguments == ("shop-www", "r2", made.manifest.image_id)


@pytest.mark.parametrize(("switch", "lines"), [("slots", 0), ("restart", 2), ("socket", 2)])
def test_the_node_can_undo_alone_where_the_old_slot_may_stop(
    remote: FakeRemote, switch: str, lines: int
) -> None:
    carry_out(execution(remote, NOWHERE, before(), SWITCH=switch), step("start"))

    start = remote.the("start")
    assert start.arguments == ("shop-www", "r2", "green", switch)
    assert start.stdin.count(b"\n") == lines


@pytest.mark.parametrize(("host", "written"), [("x", "x"), ("2001:db8::1", "[2001:db8::1]")])
def test_the_slot_is_checked_by_host_path_certificate_and_times(
    remote: FakeRemote, host: str, written: str
) -> None:
    made = execution(remote, Endpoint("192.0.2.1", 443, host), before(), SETTLE_SECONDS="7")

    carry_out(made, step("check"))

    assert remote.the("prove-slot").arguments == (
        *("shop-www", "green", "app", written, "/", made.manifest.certificate, "1", "7"),
    )


def test_the_command_before_the_switch_is_run_and_its_output_shown(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["before-switch"] = "  | 3 tables migrated\n"

    carry_out(execution(remote, NOWHERE, before(), BEFORE_SWITCH="migrate 'to it'"), step("before"))

    assert remote.the("before-switch").arguments[3:] == ("migrate", "to it")
    assert "  migrate 'to it'\n  | 3 tables migrated\n" in capsys.readouterr().out


@pytest.mark.parametrize(("gap", "shown"), [("", False), ("41\n", True)])
def test_the_time_that_visitors_were_held_is_shown(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str], gap: str, *, shown: bool
) -> None:
    remote.answers["move"] = gap

    carry_out(execution(remote, NOWHERE, before()), step("move"))

    assert ("the front door held for 41 ms" in capsys.readouterr().out) is shown


def test_the_release_is_recorded_with_how_many_to_keep(remote: FakeRemote) -> None:
    carry_out(execution(remote, NOWHERE, before(), KEEP_RELEASES="4"), step("finish"))

    finish = remote.the("finish")
    assert finish.arguments[:3] == ("shop-www", "r2", "4")
    assert '"release": "r2"' in finish.arguments[3]


def test_a_rollback_has_no_artifacts_to_send(remote: FakeRemote) -> None:
    made = replace(execution(remote, NOWHERE, before()), artifacts=None)
    copy = next(rollback_steps(Switch("slots"), "blue", "r0"))

    carry_out(made, copy)

    assert remote.the("stage-again").arguments == ("shop-www", "r2", "r0", "r1")
    with pytest.raises(ValueError, match="no artifacts"):
        carry_out(made, step("image"))
