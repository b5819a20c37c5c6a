"""The room on the node's disks is checked before an image is sent."""

from dataclasses import replace

import pytest

from deploy.errors import DeployError
from deploy.image.plan.image import refuse_full_disk, refuse_platform
from deploy.node.state import Disk, Partial
from tests.unit.deploy.examples import IMAGE, state

OTHER = "sha256:" + "9" * 64


def test_an_image_that_is_on_the_node_needs_no_room() -> None:
    full = {name: Disk(device=1, free=0) for name in ("storage", "scratch", "incoming")}

    refuse_full_disk(IMAGE, state(layers={IMAGE.id: IMAGE.layers}, disks=full))


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


def test_an_image_for_another_platform_is_refused_with_both_named() -> None:
    built = replace(IMAGE, platforms=("linux/s390x", "linux/arm64"))

    with pytest.raises(
        DeployError, match="is for linux/arm64, linux/s390x, and the node is linux/amd64"
    ) as caught:
        refuse_platform(built, state())

    assert "podman build --platform linux/amd64" in caught.value.hint
    refuse_platform(built, state(machine="s390x"))
    refuse_platform(replace(built, platforms=("linux/arm64",)), state(machine="aarch64"))


def test_an_image_that_names_no_platform_is_left_to_the_node() -> None:
    refuse_platform(replace(IMAGE, platforms=()), state())
