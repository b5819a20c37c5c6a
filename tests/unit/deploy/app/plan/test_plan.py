"""A plan names everything that a deploy does, and nothing that is secret."""

import json
from dataclasses import asdict, replace

import pytest

from deploy.app.plan.describe import describe, summary
from deploy.app.plan.desired_state import DesiredState
from deploy.app.plan.diff import PlanInputs, generations
from deploy.app.plan.plan import Plan, plan_deploy
from deploy.app.plan.steps import release_steps
from deploy.app.plan.text_diff import LARGEST_BYTES, Texts, unified
from deploy.node.file import File
from deploy.node.state import FileState, Interrupted, NodeState
from tests.unit.deploy.examples import DESIRED, IMAGE, UNIT, fresh, manifest, state

OTHER = "sha256:" + "2" * 64
HERE = PlanInputs("web1")
FIREWALL = File("/etc/corefab/firewall.d/shop-www.nft", b"add element")
CHANGED = replace(
    DESIRED,
    image=replace(IMAGE, id=OTHER, layers=(*IMAGE.layers, "sha256:" + "c" * 64)),
    units=(replace(UNIT, content=b"[Container]\nReadOnly=true\n"), FIREWALL),
    files={"index.html": "bb", "new.css": "cc"},
    certificate="e" * 64,
)
HELD = state(
    manifest=manifest(files={"index.html": "aa", "old.js": "dd"}, generations={"cert_pass": 3}),
    credentials={"cert_pass": "different"},
)
TEXTS = Texts(
    {UNIT.path: CHANGED.units[0].content, "index.html": b"new\n"},
    {UNIT.path: UNIT.content, "index.html": b"old\n"},
)


def plan(desired: DesiredState = CHANGED, held: NodeState = HELD) -> Plan:
    return plan_deploy(desired, held, replace(HERE, texts=TEXTS))


def test_nothing_to_do_is_an_empty_plan() -> None:
    made = plan(DESIRED, state())

    assert not made
    assert made.steps == ()
    assert (made.image, made.units, made.files, made.credentials) == (None, (), (), ())


def test_a_slot_that_was_left_running_is_told_of_where_nothing_else_is_to_do() -> None:
    left = state(leftover="green")

    assert plan(DESIRED, left).leftover == "green"
    assert not plan(DESIRED, left)
    assert plan(CHANGED, HELD.model_copy(update={"leftover": "green"})).leftover == ""


def test_a_plan_carries_the_very_steps_that_are_decided() -> None:
    assert plan().steps == tuple(release_steps(CHANGED, HELD))


def test_a_plan_names_the_image_from_and_to_with_the_bytes_to_send() -> None:
    image = plan().image

    assert image is not None
    assert (image.was, image.becomes) == (IMAGE.id, OTHER)
    assert (image.missing, image.layers, image.bytes) == (1, 3, IMAGE.size)


def test_bytes_to_send_are_those_of_the_missing_layers() -> None:
    sizes = dict(zip(CHANGED.image.layers, (90, 9, 1), strict=True))
    image = plan(replace(CHANGED, image=replace(CHANGED.image, sizes=sizes))).image

    assert image is not None
    assert image.bytes == 1


def test_a_plan_tells_added_changed_and_deleted_apart_with_a_diff_for_text() -> None:
    made = plan()

    assert [(change.how, change.path) for change in made.files] == [
        *(("changed", "index.html"), ("added", "new.css"), ("deleted", "old.js"))
    ]
    assert made.files[0].diff.splitlines()[2:] == ["@@ -1 +1 @@", "-old", "+new"]
    assert [(change.how, change.path) for change in made.units] == [
        *(("changed", UNIT.path), ("added", FIREWALL.path))
    ]
    assert "+ReadOnly=true" in made.units[0].diff
    assert "changed rules" in made.firewall


def test_a_mode_that_differs_is_a_change_without_a_diff() -> None:
    held = state(files={UNIT.path: FileState(mode="666 root:root", sha256=UNIT.sha256)})
    (change,) = plan_deploy(DESIRED, held, HERE).units

    assert change.was == f"{UNIT.sha256} 666 root:root"
    assert change.becomes == f"{UNIT.sha256} 644 root:root"
    assert change.diff == ""


def test_a_unit_that_is_no_longer_wanted_is_deleted() -> None:
    (change,) = plan(replace(DESIRED, units=()), state()).units

    assert (change.how, change.path) == ("deleted", UNIT.path)


def test_credentials_go_by_name_and_generation_and_nothing_else() -> None:
    (change,) = plan().credentials

    assert asdict(change) == {
        "name": "cert_pass",
        "found": "different",
        "was": 3,
        "becomes": 4,
        "asked": False,
    }


def test_a_credential_that_the_node_cannot_decrypt_is_sealed_again_with_that_reason() -> None:
    made = plan(DESIRED, state(credentials={"cert_pass": "unreadable"}))

    assert "credential cert_pass cannot be decrypted on the node" in made.reasons
    assert [(one.was, one.becomes) for one in made.credentials] == [(1, 2)]


@pytest.mark.parametrize(
    ("held", "count"),
    [
        (fresh(), 1),
        (state(), 1),
        (state(credentials={"cert_pass": "different"}), 2),
        (state(credentials={"cert_pass": "absent"}), 1),
        (state(manifest=manifest(generations={"cert_pass": 7})), 7),
        (HELD, 4),
    ],
)
def test_a_generation_counts_the_sealings(held: NodeState, count: int) -> None:
    assert generations(DESIRED, held) == {"cert_pass": count}


def test_an_unfinished_deploy_is_put_back_before_anything_is_decided() -> None:
    held = state(interrupted=Interrupted(release="r9", previous="r8"), active="failed")
    made = plan(DESIRED, held)

    assert made
    assert (made.undo, made.steps, made.reasons) == ("r9", (), ())
    assert "undo the unfinished deploy r9" in "\n".join(describe(made))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\0b", b"text"),
        (b"text", b"\xff\xfe"),
        (b"x" * (LARGEST_BYTES + 1), b"text"),
    ],
)
def test_what_is_no_small_text_has_no_diff(before: bytes, after: bytes) -> None:
    assert unified("f", before, after) == ""


def test_a_long_diff_says_how_much_it_leaves_off() -> None:
    after = b"".join(b"%d\n" % number for number in range(500))

    lines = unified("f", b"", after).splitlines()
    assert len(lines) == 201
    assert lines[-1] == "… 303 more lines of difference"


def test_the_plan_in_words_has_each_part() -> None:
    text = "\n".join(describe(plan()))

    for part in (
        "shop-www on web1 (release 20300615-120000-ab12):",
        "-> 222222222222, 1 of 3 layers, at most 100 MB to send",
        f"  changed {UNIT.path}\n    --- node:{UNIT.path}",
        "  deleted old.js",
        f"certificate: SHA-256 {'c' * 64} -> {'e' * 64}",
        "credential cert_pass: generation 3 -> 4 (the node's is different)",
        "switch: slots in slot green",
        "restarts: shop-www-green.service starts, shop-www-blue.service stops",
        "steps:\n  1. Stage the release",
    ):
        assert part in text
    assert list(summary(plan()))[1:] == [f"  {reason}" for reason in plan().reasons]


def test_a_changed_file_without_a_diff_shows_its_hashes() -> None:
    text = "\n".join(describe(plan_deploy(CHANGED, HELD, HERE)))

    assert "  changed index.html: aa -> bb" in text


def test_a_first_plan_names_everything_and_gives_one_reason() -> None:
    made = plan_deploy(DESIRED, fresh(), replace(HERE, first=True))

    assert made.reasons == ("no release on the node yet",)
    assert made.image is not None
    assert [unit.path for unit in made.units] == [UNIT.path]
    assert [change.name for change in made.credentials] == ["cert_pass"]


def test_what_a_visitor_meets_is_a_reason_to_deploy() -> None:
    made = plan_deploy(DESIRED, state(), replace(HERE, trouble="the health path answers 500"))

    assert made.reasons == ("the health path answers 500",)
    assert made.steps


def test_a_release_that_would_be_checked_in_another_way_is_a_reason_to_deploy() -> None:
    older = state()
    assert older.manifest
    held = older.manifest.model_copy(update={"proof": DESIRED.proof})
    moved = DESIRED.proof.model_copy(update={"address": "192.0.2.9", "switch": "restart"})

    assert not plan(DESIRED, state(manifest=held))
    changed = plan(replace(DESIRED, proof=moved), state(manifest=held))
    assert changed.reasons == ("PUBLIC_ADDRESS, SWITCH changed",)
    # A release of an older corefab has no proof to compare with.
    assert not plan(replace(DESIRED, proof=moved), older)


def test_the_document_keeps_the_fields_that_hooks_read() -> None:
    document = json.loads(json.dumps(plan().document()))

    assert set(document) == {
        *("app", "node", "was", "undo", "reasons", "image", "units", "files", "certificate"),
        *("credentials", "firewall", "slot", "switch", "restarts", "staged_update", "steps"),
        "leftover",
    }
    assert document["reasons"] == list(plan().reasons)
    assert document["certificate"] == ["c" * 64, "e" * 64]
    assert set(document["files"][0]) == {"path", "how", "was", "becomes", "diff"}
    assert set(document["steps"][0]) == {"kind", "title", "summary", "credential"}


def test_a_node_with_a_release_and_nothing_to_do_has_an_empty_document() -> None:
    document = plan(DESIRED, state()).document()

    assert (document["image"], document["certificate"]) == (None, None)
    for name in ("reasons", "units", "files", "credentials", "restarts", "steps"):
        assert not document[name]
    assert (document["firewall"], document["slot"], document["switch"]) == ("", "", "")
