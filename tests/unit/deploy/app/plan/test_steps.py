"""Each difference is named, and leads to the steps of a release."""

from dataclasses import replace

import pytest

from deploy.app.plan.desired_state import DesiredState, Switch
from deploy.app.plan.diff import PlanInputs, credential_changes, file_changes, generations
from deploy.app.plan.plan import plan_deploy
from deploy.app.plan.steps import Step, rollback_steps, switch_steps
from deploy.errors import DeployError
from deploy.node.file import File
from deploy.node.state import Disk, FileState, NodeState
from tests.unit.deploy.examples import DESIRED, IMAGE, UNIT, fresh, held_files, manifest, state

OTHER = "sha256:" + "2" * 64


def steps(desired: DesiredState, held: NodeState, *, first: bool) -> tuple[Step, ...]:
    return plan_deploy(desired, held, PlanInputs("web1", first=first)).steps


def reasons(desired: DesiredState, held: NodeState, *, first: bool = False) -> list[str]:
    return list(plan_deploy(desired, held, PlanInputs("web1", first=first)).reasons)


def to_seal(desired: DesiredState, held: NodeState) -> tuple[str, ...]:
    return tuple(change.name for change in credential_changes(desired, held))


def kinds(desired: DesiredState, held: NodeState, *, first: bool = False) -> list[str]:
    return [step.kind for step in steps(desired, held, first=first)]


def test_a_node_that_holds_and_runs_what_is_wanted_needs_nothing() -> None:
    assert steps(DESIRED, state(), first=False) == ()
    assert reasons(DESIRED, state()) == []


def test_a_fresh_node_gets_everything() -> None:
    assert reasons(DESIRED, fresh(), first=True) == ["no release on the node yet"]
    assert kinds(DESIRED, fresh(), first=True) == [
        *("stage", "image", "files", "seal"),
        *("start", "check", "move", "prove", "finish"),
    ]


@pytest.mark.parametrize(
    ("desired", "held", "line"),
    [
        (
            replace(DESIRED, image=replace(IMAGE, id=OTHER)),
            state(),
            "image 111111111111 -> 222222222222",
        ),
        (
            replace(DESIRED, units=(replace(UNIT, content=b"new"),)),
            state(),
            f"unit changed: {UNIT.path}",
        ),
        (DESIRED, state(files={}), f"unit added: {UNIT.path}"),
        (
            replace(DESIRED, units=()),
            state(),
            f"unit removed: {UNIT.path}",
        ),
        (
            DESIRED,
            state(files={UNIT.path: FileState(mode="666 root:root", sha256=UNIT.sha256)}),
            f"unit {UNIT.path} is 666 root:root, not 644 root:root",
        ),
        (
            DESIRED,
            state(files={UNIT.path: FileState(mode="644 core:core", sha256=UNIT.sha256)}),
            f"unit {UNIT.path} is 644 core:core, not 644 root:root",
        ),
        (
            DESIRED,
            state(files={UNIT.path: FileState(mode=UNIT.mode_and_owner, sha256="0")}),
            f"unit changed: {UNIT.path}",
        ),
        (replace(DESIRED, files={"index.html": "bb"}), state(), "file changed: index.html"),
        (
            replace(DESIRED, certificate="e" * 64),
            state(),
            "certificate cccccccccccccccc -> eeeeeeeeeeeeeeee",
        ),
        (replace(DESIRED, key="e" * 64), state(), "the TLS key file was encrypted again"),
        (
            DESIRED,
            state(credentials={"cert_pass": "different"}),
            "credential cert_pass is different",
        ),
        (DESIRED, state(credentials={}), "credential cert_pass is absent"),
        (DESIRED, state(layers={}), "image 111111111111 is missing on the node"),
        (DESIRED, state(active="failed"), "the app is failed"),
        (DESIRED, state(door="leads elsewhere"), "front door: leads elsewhere"),
    ],
)
def test_each_kind_of_change_is_named_and_makes_a_release(
    desired: DesiredState, held: NodeState, line: str
) -> None:
    assert reasons(desired, held) == [line]
    assert kinds(desired, held)[0] == "stage"
    assert kinds(desired, held)[-5:] == ["check", "move", "prove", "finish", "retire"]


def test_every_change_is_named_at_once() -> None:
    desired = replace(DESIRED, files={"a": "1"}, certificate="e", image=replace(IMAGE, id=OTHER))

    assert len(reasons(desired, state(active="inactive"))) == 5


def test_added_changed_and_deleted_files_are_told_apart() -> None:
    held = {"a": "1", "b": "1", "c": "1"}

    assert list(map(str, file_changes(held, {"b": "1", "c": "2", "d": "1"}))) == [
        *("file deleted: a", "file changed: c", "file added: d")
    ]


def test_a_credential_is_sealed_unless_the_node_holds_it() -> None:
    desired = replace(DESIRED, credentials=("a", "b", "c", "d", "e"))
    held = state(
        credentials={"a": "absent", "b": "present", "c": "same", "d": "different"}, active="failed"
    )

    assert to_seal(desired, held) == ("a", "d", "e")
    sealed = [step for step in steps(desired, held, first=False) if step.kind == "seal"]
    assert [step.credential for step in sealed] == ["a", "d", "e"]


def test_an_image_that_is_there_is_not_sent() -> None:
    there = next(
        s for s in steps(DESIRED, state(active="failed"), first=False) if s.kind == "image"
    )
    away = next(s for s in steps(DESIRED, fresh(), first=True) if s.kind == "image")

    assert "on the node already" in there.title
    assert "2 of 2 layers, 100 MB" in away.title


def test_a_first_deploy_is_refused_where_a_release_is() -> None:
    with pytest.raises(DeployError, match="release 20300615-120000-ab12 of shop-www is on"):
        steps(DESIRED, state(), first=True)


def test_a_deploy_is_refused_where_no_release_is_and_says_what_to_run() -> None:
    with pytest.raises(DeployError, match="no release of shop-www") as caught:
        steps(DESIRED, fresh(), first=False)

    assert caught.value.hint == "run `fab deploy --first`"


def room(incoming: int, scratch: int, storage: int) -> dict[str, Disk]:
    """Say what is free on three file systems."""
    free = {"incoming": incoming, "scratch": scratch, "storage": storage}
    return {place: Disk(device=at, free=count) for at, (place, count) in enumerate(free.items())}


@pytest.mark.parametrize(
    ("place", "free", "needs"),
    [
        ("/var/lib/corefab", (299_999_999, 10**9, 10**9), 300),
        ("/var/tmp", (10**9, 299_999_999, 10**9), 300),  # noqa: S108 -- a path of the node
        ("/var/lib/containers", (10**9, 10**9, 319_999_999), 320),
    ],
)
def test_a_full_disk_is_found_before_anything_is_sent(
    place: str, free: tuple[int, int, int], needs: int
) -> None:
    with pytest.raises(DeployError) as caught:
        steps(DESIRED, fresh(disks=room(*free)), first=True)

    assert caught.value.message == (
        "not enough disk space on the node for localhost/shop:1 (100 MB to send): "
        f"{place}: {needs} MB free, {needs} MB needed, 1 B missing"
    )
    assert "fab prune" in caught.value.hint


def test_places_on_one_disk_share_its_room() -> None:
    same = {place: Disk(device=7, free=500_000_000) for place in room(0, 0, 0)}

    with pytest.raises(DeployError, match="500 MB free, 520 MB needed, 20 MB missing"):
        steps(DESIRED, fresh(disks=same), first=True)


def test_only_what_is_missing_of_an_image_needs_room() -> None:
    sizes = dict(zip(IMAGE.layers, (99_000_000, 1_000_000), strict=True))
    desired = replace(DESIRED, image=replace(IMAGE, sizes=sizes))
    held = {"sha256:" + "2" * 64: IMAGE.layers[:1]}

    assert steps(desired, fresh(layers=held, disks=room(*[202_000_000] * 3)), first=True)


def test_a_disk_with_just_enough_room_will_do() -> None:
    assert steps(DESIRED, fresh(disks=room(300_000_000, 300_000_000, 320_000_000)), first=True)


def test_a_full_disk_does_not_hinder_what_sends_no_image() -> None:
    assert steps(DESIRED, state(disks=room(0, 0, 0), active="failed"), first=False)


def test_layers_that_another_image_brought_make_the_image_without_sending() -> None:
    changed = replace(DESIRED, image=replace(IMAGE, id=OTHER))

    step = next(s for s in steps(changed, state(), first=False) if s.kind == "image")

    assert step.title == "Assemble image 222222222222 from layers on the node"


def test_a_rollback_stages_what_the_node_keeps_and_switches_like_a_deploy() -> None:
    first, *switch = rollback_steps(Switch("slots"), "blue", "r1")

    assert (first.kind, first.source) == ("stage", "r1")
    assert switch == list(switch_steps(Switch(), "blue"))


def test_a_files_mark_is_what_stat_writes() -> None:
    assert File("/a", b"", 0o4755).mode_and_owner == "4755 root:root"
    assert held_files((UNIT,))[UNIT.path].mode == "644 root:root"


def test_the_example_is_consistent() -> None:
    assert manifest().units == {UNIT.path: UNIT.sha256}


def test_a_credential_is_sealed_again_on_request() -> None:
    desired = replace(DESIRED, credentials=("cert_pass", "token"), reseal=frozenset({"token"}))
    held = state(credentials={"cert_pass": "same", "token": "same"})

    assert to_seal(desired, held) == ("token",)
    assert reasons(desired, held) == ["credential token is to be sealed again"]
    assert kinds(desired, held).count("seal") == 1


def test_each_seal_is_counted_and_what_is_not_sealed_keeps_its_count() -> None:
    desired = replace(
        DESIRED, credentials=("cert_pass", "token", "new"), reseal=frozenset({"token"})
    )
    held = state(
        manifest=manifest(generations={"cert_pass": 3, "token": 1, "gone": 7}),
        credentials={"cert_pass": "same", "token": "same"},
    )

    assert generations(desired, held) == {"cert_pass": 3, "token": 2, "new": 1}


def test_what_was_sealed_before_seals_were_counted_is_the_first() -> None:
    assert generations(DESIRED, state()) == {"cert_pass": 1}


def test_by_socket_the_old_slot_stops_before_the_proof() -> None:
    found = [(step.kind, step.done) for step in switch_steps(Switch("socket"), "blue")]

    assert found[1:4] == [
        ("check", "slot green reported that it is healthy"),
        ("move", "slot blue stopped, socket moved to green"),
        ("prove", "HTTPS endpoint healthy, with the expected certificate"),
    ]


def test_by_restart_the_door_holds_while_one_slot_stops_and_the_other_starts() -> None:
    step = next(switch_steps(Switch("restart"), "blue"))

    assert step.title == "Hold visitors at the front door, stop slot blue, start slot green"
    assert next(switch_steps(Switch("restart"), "")).title == "Start slot blue"
