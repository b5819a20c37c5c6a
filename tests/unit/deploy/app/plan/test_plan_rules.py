"""Whatever is desired and whatever a node holds: the steps of a plan bring about every change."""

from dataclasses import replace
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from deploy.app.plan.desired_state import DesiredState, Switch
from deploy.app.plan.diff import PlanInputs
from deploy.app.plan.plan import Plan, plan_deploy
from deploy.app.plan.steps import Kind
from deploy.node.file import File
from deploy.node.state import FileState, NodeState
from tests.unit.deploy.examples import DESIRED, IMAGE, UNIT, fresh, manifest, state

NAMES = ("cert_pass", "token", "mail")
UNITS = (UNIT, File("/etc/corefab/firewall.d/shop-www.nft", b"add element"))
HASHES = st.sampled_from(("c" * 64, "e" * 64))
FILES = st.dictionaries(st.sampled_from(("a", "b", "c")), st.sampled_from(("1", "2")))


@st.composite
def desired(draw: st.DrawFn) -> DesiredState:
    units = draw(st.lists(st.sampled_from(UNITS), unique=True))
    before = draw(st.sampled_from(((), ("migrate", "now"))))
    return replace(
        DESIRED,
        image=draw(st.sampled_from((IMAGE, replace(IMAGE, id="sha256:" + "2" * 64)))),
        units=tuple(replace(one, content=draw(st.sampled_from((b"1", b"2")))) for one in units),
        files=draw(FILES),
        certificate=draw(HASHES),
        key=draw(HASHES),
        credentials=tuple(draw(st.lists(st.sampled_from(NAMES), unique=True))),
        switch=Switch(draw(st.sampled_from(("slots", "restart", "socket"))), before),
        reseal=draw(st.frozensets(st.sampled_from(NAMES))),
    )


@st.composite
def held(draw: st.DrawFn, like: DesiredState) -> NodeState:
    """Draw what a node holds, in part what is desired and in part not."""
    words = st.sampled_from(("absent", "unreadable", "present", "same", "different"))
    files = {
        unit.path: FileState(
            mode=unit.mode_and_owner, sha256=draw(st.sampled_from((unit.sha256, "0")))
        )
        for unit in draw(st.sampled_from(((), like.units, UNITS)))
    }
    present: dict[str, object] = {
        "files": files,
        "credentials": draw(st.dictionaries(st.sampled_from(NAMES), words)),
        "layers": draw(st.sampled_from(({}, {like.image.id: IMAGE.layers}))),
    }
    if draw(st.booleans()):
        return fresh(**present)
    release = manifest(
        draw(st.sampled_from((like, DESIRED))),
        files=draw(st.sampled_from((dict(like.files), {"a": "1"}))),
    )
    return state(
        **present,
        manifest=release,
        slot=draw(st.sampled_from(("blue", "green"))),
        active=draw(st.sampled_from(("active", "failed"))),
        leftover=draw(st.sampled_from(("", "green"))),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[DesiredState, NodeState, Plan]:
    want = draw(desired())
    node = draw(held(want))
    trouble = draw(st.sampled_from(("", "the health path answers 500")))
    inputs = PlanInputs("web1", first=node.manifest is None, trouble=trouble)
    return want, node, plan_deploy(want, node, inputs)


def kinds(plan: Plan) -> list[Kind]:
    return [step.kind for step in plan.steps]


@given(cases())
def test_there_are_steps_exactly_where_something_differs(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    _, node, plan = case

    assert bool(plan.steps) == bool(plan.changes) == bool(plan.reasons)
    assert plan.leftover == ("" if plan.steps else node.leftover)


@given(cases())
def test_steps_come_in_the_order_that_keeps_visitors_safe(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    want, node, plan = case
    found = [kind for kind in kinds(plan) if kind != "seal"]

    if found:
        assert found[:3] == ["stage", "image", "files"]
        before = ["before"] if want.switch.before and want.switch.mode != "socket" else []
        retire = ["retire"] if node.slot else []
        assert found[3:] == ["start", "check", *before, "move", "prove", "finish", *retire]


@given(cases())
def test_each_credential_that_differs_is_sealed_once_before_the_start(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    want, node, plan = case
    sealed = [step.credential for step in plan.steps if step.kind == "seal"]
    differ = {name for name in want.credentials if node.credentials.get(name, "absent") in _UNLIKE}

    assert sealed == [change.name for change in plan.credentials]
    assert len(sealed) == len(set(sealed))
    assert set(sealed) >= differ | (want.reseal & set(want.credentials))
    if sealed:
        order = kinds(plan)
        assert max(n for n, kind in enumerate(order) if kind == "seal") < order.index("start")


@given(cases())
def test_every_difference_of_units_and_files_is_a_change(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    want, node, plan = case
    units = {unit.path: (unit.sha256, unit.mode_and_owner) for unit in want.units}
    there = {path: (one.sha256, one.mode) for path, one in node.files.items() if path in units}
    gone = (node.manifest.units.keys() if node.manifest else set()) - units.keys()
    files = node.manifest.files if node.manifest else {}

    unlike = {path for path, mark in units.items() if there.get(path) != mark}
    assert {change.path for change in plan.units} == unlike | gone
    unlike = {
        path for path in files.keys() | want.files.keys() if files.get(path) != want.files.get(path)
    }
    assert {change.path for change in plan.files} == unlike


@given(cases())
def test_the_new_release_starts_in_the_slot_that_does_not_serve(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    _, node, plan = case

    if plan:
        assert plan.slot != node.slot
        assert plan.serving == node.slot
        stopped = [f"shop-www-{node.slot}.service stops"] if node.slot else []
        assert list(plan.restarts) == [f"shop-www-{plan.slot}.service starts", *stopped]


@given(cases())
def test_every_step_has_a_title_and_a_text_for_when_it_is_done(
    case: tuple[DesiredState, NodeState, Plan],
) -> None:
    for step in case[2].steps:
        assert step.kind in get_args(Kind)
        assert step.title[0].isupper()
        assert step.done
        assert step.title != step.done


_UNLIKE = {"absent", "unreadable", "different"}
