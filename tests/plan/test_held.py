"""By which id a node has an image: its own, or that of an anchor and a delta."""

from dataclasses import replace

import pytest

from deploy.errors import DeployError
from deploy.plan.image import held_as, refuse_full_disk
from deploy.plan.state import Disk, Partial
from deploy.plan.steps import release_steps
from tests.plan.examples import IMAGE, WANTED, state

OTHER = "sha256:" + "9" * 64
DELTA = replace(IMAGE, delta=True)
STANDING = state(layers={OTHER: IMAGE.layers}, built={OTHER: IMAGE.id})


def test_an_image_is_held_by_its_own_id_in_either_mode() -> None:
    assert held_as(IMAGE, state()) == IMAGE.id
    assert held_as(DELTA, state()) == IMAGE.id


def test_what_stands_for_an_image_counts_only_where_deltas_are_wanted() -> None:
    assert held_as(DELTA, STANDING) == OTHER
    assert held_as(IMAGE, STANDING) == ""


def test_the_plan_says_what_travels_in_this_mode() -> None:
    changed = replace(WANTED, image=replace(DELTA, id="sha256:" + "8" * 64))

    plan = tuple(release_steps(changed, state()))

    assert plan[1].title == "Send image 888888888888: what changed since the anchor"


def test_the_room_for_a_delta_is_checked_when_its_size_is_known() -> None:
    full = {name: Disk(device=1, free=0) for name in ("storage", "scratch", "incoming")}

    refuse_full_disk(DELTA, state(layers={}, disks=full))


def test_what_a_cut_transfer_left_needs_no_room_again() -> None:
    disks = {
        "incoming": Disk(device=1, free=240_000_000),
        "scratch": Disk(device=2, free=10**9),
        "storage": Disk(device=2, free=10**9),
    }
    cut = Partial(layers={IMAGE.layers[0]: 60_000_000, OTHER: 10**9})

    refuse_full_disk(IMAGE, state(layers={}, disks=disks, partial={IMAGE.id: cut}))
    with pytest.raises(DeployError, match="240 MB free, 300 MB needed, 60 MB missing"):
        refuse_full_disk(IMAGE, state(layers={}, disks=disks))
