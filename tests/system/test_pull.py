"""A node that follows a tag of a registry by itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import NAME, authority
from tests.system.following import EXITS, REPO, Shop, following
from tests.system.page import get
from tests.system.project import configure
from tests.system.visitors import Visits

pytestmark = pytest.mark.node
NEVER_HEALTHY = 'ENTRYPOINT []\nCMD ["/usr/bin/python3", "-c", "import time; time.sleep(1000)"]'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with following(tmp_path_factory.mktemp("pull"), f"pull{os.getpid()}") as found:
        yield found


@pytest.fixture
def visits(shop: Shop) -> Iterator[Visits]:
    with shop.visited() as found:
        yield found


def test_what_was_deployed_and_published_is_the_same(shop: Shop) -> None:
    assert shop.pull()["result"] == "same"
    timer = shop.project.ssh(f"systemctl is-active {shop.app}-pull.timer").strip()
    assert timer == "active"


def test_a_good_image_reaches_visitors_without_a_failed_request(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())

    status = shop.pull()

    assert status["result"] == "updated", status
    assert shop.serving() == wanted == status["image_id"]
    assert shop.pull()["result"] == "same"
    assert shop.manifest()["by"] == "the node"
    assert "pull" in shop.project.must("audit")
    assert "the node" in shop.project.must("releases")


@pytest.mark.parametrize("text", [pytest.param(NEVER_HEALTHY, marks=pytest.mark.slow), EXITS])
def test_a_bad_image_is_tried_once(shop: Shop, visits: Visits, text: str) -> None:
    served = shop.serving()
    bad = shop.publish(shop.build(text))
    assert shop.pull()["result"] == "failed"
    before = shop.fetched()

    assert [shop.pull()["result"] for _ in range(3)] == ["held-back"] * 3

    assert shop.fetched() == before
    assert shop.tried(bad) == 1
    assert shop.serving() == served
    shop.project.must("withdraw")
    assert shop.pull()["result"] == "same"


def test_what_is_not_signed_is_refused(shop: Shop, visits: Visits) -> None:
    served = shop.serving()
    known = set(shop.tags.glob("sha256-*.sig/current/link"))
    shop.publish(shop.build())
    kept = {link: link.read_bytes() for link in shop.tags.glob("sha256-*.sig/current/link")}
    for link in kept.keys() - known:
        link.unlink()

    status = shop.pull()

    assert (status["result"], shop.serving()) == ("refused", served)
    assert "not signed" in status["why"]
    for link, content in kept.items():
        link.write_bytes(content)
    status = shop.pull()
    assert status["result"] == "updated", status


@pytest.mark.slow
def test_what_a_stranger_signed_is_refused(shop: Shop, visits: Visits, tmp_path: Path) -> None:
    served, image = shop.serving(), shop.build()
    checkout = tmp_path / "stranger"
    subprocess.run(["cp", "-r", shop.project.folder, checkout], check=True)
    for old in ("id", "id.pub", "certs/publish.pub", "certs/material/authority/publish.key.enc"):
        (checkout / old).unlink()
    stranger = configure(checkout, "stranger", **shop.project.settings | {"IMAGE": image})
    stranger.must("publish")

    status = shop.pull()

    assert (status["result"], shop.serving()) == ("refused", served)
    assert "PULL_KEYS" in status["why"]
    shop.publish(image)
    status = shop.pull()
    assert status["result"] == "updated", status


@pytest.mark.slow
def test_an_older_image_that_was_signed_is_refused(shop: Shop, visits: Visits) -> None:
    tag = shop.tags / "live/current/link"
    older = tag.read_bytes()
    wanted = shop.publish(shop.build())
    status = shop.pull()
    assert status["result"] == "updated", status
    newer = tag.read_bytes()
    tag.write_bytes(older)

    status = shop.pull()

    assert (status["result"], shop.serving()) == ("refused", wanted)
    assert "older" in status["why"]
    tag.write_bytes(newer)
    assert shop.pull()["result"] == "same"


@pytest.mark.slow
def test_an_older_image_is_refused_though_another_tag_was_followed_between(
    shop: Shop, visits: Visits
) -> None:
    tag, image = shop.tags / "live/current/link", shop.build()
    older = tag.read_bytes()
    wanted = shop.publish(image)
    status = shop.pull()
    assert status["result"] == "updated", status
    newer = tag.read_bytes()
    shop.project.must("promote", "live", "other")
    other = f"{shop.registry.address}/{REPO}:other"
    shop.project.must("deploy", PULL=other, IMAGE=image)
    assert shop.pull()["reference"] == other
    shop.project.must("deploy", IMAGE=image)
    tag.write_bytes(older)

    status = shop.pull()

    assert (status["result"], shop.serving()) == ("refused", wanted)
    assert "older" in status["why"]
    tag.write_bytes(newer)
    assert shop.pull()["result"] == "same"


def test_without_the_registry_what_serves_goes_on(shop: Shop, visits: Visits) -> None:
    port = shop.registry.address.partition(":")[2]
    rule = f"tcp dport {port} reject with tcp reset"
    chain = f"chain output {{ type filter hook output priority 0; {rule}; }}"
    shop.project.ssh(f"nft 'table inet away {{ {chain}; }}'")

    status = shop.pull()

    shop.project.ssh("nft delete table inet away")
    assert status["result"] == "unreachable", status
    assert shop.pull()["result"] == "same"


@pytest.mark.slow
def test_a_run_that_was_cut_before_the_door_moved_is_undone(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())
    shop.cut('proven "$release"')
    assert shop.serving() != wanted

    status = shop.pull()
    assert status["result"] == "updated", status
    assert shop.serving() == wanted


def test_a_run_that_was_cut_after_the_door_moved_is_finished(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())
    shop.cut('complete "$release"')
    assert shop.serving() == wanted
    fetched = shop.fetched()

    status = shop.pull()

    assert status["result"] == "updated"
    assert "cut" in status["why"]
    assert (shop.serving(), shop.fetched()) == (wanted, fetched)
    assert shop.pull()["result"] == "same"


@pytest.mark.slow
def test_what_is_podmans_fault_is_not_held_against_an_image(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())
    with shop.instead_of("start", "echo the disk is read-only >&2; exit 1"):
        status = shop.pull()
    assert status["result"] == "node-fault", status
    assert shop.pull()["result"] == "waiting"
    shop.forget_fault()

    status = shop.pull()
    assert status["result"] == "updated", status
    assert shop.serving() == wanted


def test_a_slot_whose_image_was_removed_is_healed(shop: Shop) -> None:
    shop.project.ssh(f"podman rmi --force --all; systemctl stop {shop.project.container()}.service")

    status = shop.pull()

    assert status["result"] == "healed", status
    assert get(shop.project.node.address, 443, NAME, authority(shop.project))[0] == 200


@pytest.mark.slow
def test_what_was_pushed_stays_until_the_tag_moves(shop: Shop, visits: Visits) -> None:
    pushed, published = shop.build(), shop.build()
    shop.project.must("deploy", IMAGE=pushed)
    served = shop.serving()

    status = shop.pull()

    assert (status["result"], shop.serving()) == ("same", served)
    assert "until the tag moves" in status["why"]
    wanted = shop.publish(published)
    status = shop.pull()
    assert status["result"] == "updated", status
    assert shop.serving() == wanted


@pytest.mark.slow
def test_the_mode_decides_whether_the_node_takes_an_image(shop: Shop, visits: Visits) -> None:
    image = shop.build()
    wanted = shop.publish(image)
    served = shop.project.must("deploy", PULL_MODE="notify")
    assert "pull" in served
    status = shop.pull()
    assert (status["result"], status["image_id"]) == ("waiting", wanted)
    assert "waiting" in shop.project.must("pull-status")

    shop.project.must("deploy", PULL_DELAY="1d")
    status = shop.pull()
    assert status["result"] == "waiting"
    assert "PULL_DELAY" in status["why"]

    shop.project.must("deploy", PULL_MODE="off", IMAGE=image)
    assert (
        shop.project.ssh(f"systemctl is-active {shop.app}-pull.timer || true").strip() == "inactive"
    )
    assert shop.project.ssh(f"ls -d /etc/corefab/pull/{shop.app}/pull.sh || true") == ""
    shop.project.must("deploy", IMAGE=image)
    assert shop.pull()["result"] == "same"


@pytest.mark.slow
def test_while_the_key_changes_the_node_takes_what_either_key_has_signed(
    shop: Shop, visits: Visits
) -> None:
    first, second, third = shop.build(), shop.build(), shop.build()
    shop.publish(first)
    assert shop.pull()["result"] == "updated"

    shop.project.must("publish-key", "--following")
    both = "certs/publish.pub, certs/publish-next.pub"
    shop.project.must("deploy", IMAGE=first, PULL_KEYS=both)
    wanted = shop.publish(second)
    status = shop.pull()
    assert (status["result"], shop.serving()) == ("updated", wanted), status

    # From now on the next key alone signs; the node still has both.
    shop.project.must("publish-key", "--finish")
    wanted = shop.publish(third)
    status = shop.pull()
    assert (status["result"], shop.serving()) == ("updated", wanted), status
    shop.project.must("deploy", IMAGE=third)
    assert shop.pull()["result"] == "same"
