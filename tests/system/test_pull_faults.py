"""What goes wrong around a node that follows a tag: power, registry, disk, podman."""

import base64
import os
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.following import Shop, following
from tests.system.visitors import Visits

pytestmark = [pytest.mark.node, pytest.mark.slow]
CUTS = 20
LOOKS = 30
SMALL_BYTES, LARGE_BYTES = 1 << 20, 32 << 20
HELD = "nft list table inet held | grep -q 'counter packets [1-9]'"
# What a look that was cut could leave in the disk: parts of layers, images without a release.
LEFT = """
cd /var/lib/{app}
find /var/tmp {kept} -name 'container_images*'
podman image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | while IFS=: read -r name tag; do
  [ "$name" = localhost/{app} ] && [ -e "$tag" -o -e "releases/$tag" ] || echo "$name:$tag"
done
ls -d deploying switching releases/*.new {kept}/trying.json 2>/dev/null || true
"""
# The journal stands still until podman has failed to start the idle slot.
LATE = """
slot=blue
if [ /var/lib/{app}/blue -ef /var/lib/{app}/current ]; then slot=green; fi
cat >/run/late.sh <<'END'
failed() {{ [ "$(systemctl show -P ExecMainStatus "$1")" = 125 ]; }}
if failed "$1"; then exit 1; fi
systemctl kill --signal=STOP systemd-journald
until failed "$1" || [ "$SECONDS" -gt 150 ]; do sleep 0.1; done
systemctl kill --signal=CONT systemd-journald
END
systemd-run --quiet --collect bash /run/late.sh {app}-$slot.service
"""
NAMELESS = """
journalctl --sync
journalctl -q -o json _TRANSPORT=stdout | jq -r 'select(._COMM == null).MESSAGE'
"""
STATE = """
cd /var/lib/{app}
readlink current blue green || true; ls -A . releases; podman image ls --all --no-trunc --quiet
podman ps --no-trunc --format '{{{{.ID}}}} {{{{.StartedAt}}}}'
cat /var/lib/corefab/audit.log
find /etc {kept} -type f ! -name status.json ! -name seen.json -exec sha256sum {{}} + | sort
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with following(tmp_path_factory.mktemp("faults"), f"faults{os.getpid()}") as found:
        assert found.pull()["result"] == "same"
        yield found


@pytest.fixture
def visits(shop: Shop) -> Iterator[Visits]:
    with shop.visited() as found:
        yield found


@contextmanager
def held_in_a_layer(shop: Shop) -> Iterator[None]:
    """Begin a look whose layer stops to arrive after a quarter, and go on after the block."""
    port = shop.registry.address.partition(":")[2]
    rule = f"tcp sport {port} quota over {LARGE_BYTES // 4} bytes counter drop"
    chain = f"chain input {{ type filter hook input priority -1; {rule}; }}"
    shop.project.ssh(f"nft 'table inet held {{ {chain}; }}'")
    shop.begin()
    try:
        held = f'timeout 150 bash -c "until {HELD}; do sleep 0.1; done"'
        shop.project.ssh(held, seconds=200)
        yield
    finally:
        shop.project.ssh("nft delete table inet held 2>/dev/null || true")


def state(shop: Shop) -> str:
    """Describe all that a look may change."""
    return shop.project.ssh(STATE.format(app=shop.app, kept=shop.kept))


def left(shop: Shop) -> list[str]:
    """List what looks that were cut have left."""
    return shop.project.ssh(LEFT.format(app=shop.app, kept=shop.kept)).split()


def updates_to(shop: Shop, wanted: str) -> None:
    """Look once more, and hold the node to taking an image and holding nothing against it."""
    status = shop.pull()
    assert status["result"] == "updated", str(status)
    assert shop.running() == [shop.serving()] == [wanted]
    assert status["digest"] not in shop.blamed()
    assert left(shop) == []


def test_without_the_registry_for_an_hour_nothing_changes(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())
    before = state(shop)
    look = f"systemctl start {shop.unit}; jq -r .result {shop.kept}/status.json"

    shop.registry.stop()
    try:
        results = shop.project.ssh(f"for _ in $(seq {LOOKS}); do {look}; done", seconds=900)
    finally:
        shop.registry.start()

    assert results.split() == ["unreachable"] * LOOKS
    assert state(shop) == before
    updates_to(shop, wanted)


def test_without_the_registry_at_boot_the_release_before_serves(shop: Shop) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build())

    shop.registry.stop()
    try:
        shop.project.cut_power()
        shop.await_page()
        status = shop.pull()
    finally:
        shop.registry.start()

    assert status["result"] == "unreachable", str(status)
    assert shop.running() == [shop.serving()] == [served]
    updates_to(shop, wanted)


def test_a_registry_that_does_not_answer_is_not_waited_for_long(shop: Shop, visits: Visits) -> None:
    port = shop.registry.address.partition(":")[2]
    chain = f"chain output {{ type filter hook output priority 0; tcp dport {port} drop; }}"
    shop.project.ssh(f"nft 'table inet away {{ {chain}; }}'")

    status = shop.pull()

    shop.project.ssh("nft delete table inet away")
    assert status["result"] == "unreachable", str(status)
    assert "timeout" in status["why"]


def test_without_the_registry_in_the_middle_of_a_layer_the_next_look_goes_on(
    shop: Shop, visits: Visits
) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build(layer_bytes=LARGE_BYTES))

    with held_in_a_layer(shop):
        shop.registry.stop()
    try:
        status = shop.result()
    finally:
        shop.registry.start()

    assert (status["result"], shop.serving()) == ("unreachable", served), str(status)
    updates_to(shop, wanted)


def test_the_login_for_the_registry_is_in_memory_alone_and_during_a_look_alone(
    shop: Shop, visits: Visits
) -> None:
    login = base64.b64encode(shop.registry.login.encode()).decode()
    search = (
        f"grep -rlsF -D skip -e {shop.registry.password} -e {login} /etc /var /run/corefab || true"
    )
    wanted = shop.publish(shop.build(layer_bytes=LARGE_BYTES))

    with held_in_a_layer(shop):
        script = f"{search}; findmnt -no FSTYPE -T /run/corefab"
        meanwhile = shop.project.ssh(script, seconds=300).split()
    status = shop.result()
    afterwards = shop.project.ssh(search, seconds=300)
    journal = shop.project.ssh("journalctl --sync; journalctl -q -o cat")

    assert meanwhile == [f"/run/corefab/pull-{shop.app}/auth.json", "tmpfs"]
    assert (status["result"], shop.serving()) == ("updated", wanted), str(status)
    assert afterwards == ""
    assert f"{shop.app}: updated" in journal
    assert shop.registry.password not in journal
    assert login not in journal


def test_a_layer_that_stops_to_arrive_is_not_waited_for_without_end(
    shop: Shop, visits: Visits
) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build(layer_bytes=LARGE_BYTES))
    text = shop.project.ssh(f"cat /etc/corefab/pull/{shop.app}/pull.sh")
    assert "limit=3600" in text

    with (
        shop.instead_of("pull", text.replace("limit=3600", "limit=20").rstrip("\n")),
        held_in_a_layer(shop),
    ):
        status = shop.result()

    assert (status["result"], shop.serving()) == ("unreachable", served), str(status)
    assert "not read within 20 s" in status["why"]
    updates_to(shop, wanted)


@pytest.mark.parametrize(("line", "tag"), [("borrowed=", "pulled"), ("switch=", "failed")])
def test_the_image_of_a_look_that_was_cut_is_removed_when_the_tag_has_moved(
    shop: Shop, visits: Visits, line: str, tag: str
) -> None:
    shop.publish(shop.build(layer_bytes=SMALL_BYTES))
    shop.cut(line)
    shop.project.ssh(f"bash /etc/corefab/pull/{shop.app}/undo.sh {shop.app}")
    assert f"localhost/{shop.app}:{tag}" in left(shop)

    wanted = shop.publish(shop.build())

    updates_to(shop, wanted)


def test_after_a_power_cut_in_the_middle_of_a_layer_the_next_look_goes_on(shop: Shop) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build(layer_bytes=LARGE_BYTES))

    with held_in_a_layer(shop):
        shop.project.cut_power()

    shop.await_page()
    assert shop.running() == [shop.serving()] == [served]
    updates_to(shop, wanted)


def test_an_image_for_which_the_disk_lacks_room_is_not_fetched(shop: Shop, visits: Visits) -> None:
    wanted = shop.publish(shop.build())
    before, fetched = state(shop), shop.fetched()
    shop.project.ssh(
        "printf 'echo Avail; echo 1\\n' >/usr/local/bin/df; chmod +x /usr/local/bin/df"
    )

    status = shop.pull()

    shop.project.ssh("rm /usr/local/bin/df")
    assert status["result"] == "no-room", str(status)
    assert "and 1 MB are free" in status["why"]
    # The statement about the image is fetched.
    assert shop.fetched() - fetched <= 2
    assert state(shop) == before
    updates_to(shop, wanted)


def test_a_disk_that_fills_up_in_the_middle_of_a_layer_is_not_held_against_the_image(
    shop: Shop, visits: Visits
) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build(layer_bytes=LARGE_BYTES))
    place = f"{shop.kept}/parts"
    shop.project.ssh(f"mount -t tmpfs -o size={LARGE_BYTES // 2} small {place}")

    status = shop.pull()

    shop.project.ssh(f"umount {place}")
    assert (status["result"], shop.serving()) == ("no-room", served), str(status)
    updates_to(shop, wanted)


def test_a_slot_that_podman_cannot_start_is_not_held_against_its_image(
    shop: Shop, visits: Visits
) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build())

    with without_network(shop):
        status = shop.pull()

    assert (status["result"], shop.serving()) == ("node-fault", served), str(status)
    assert shop.pull()["result"] == "waiting"
    shop.forget_fault()
    updates_to(shop, wanted)


def test_what_podman_says_counts_also_where_the_journal_comes_late(shop: Shop) -> None:
    served, wanted = shop.serving(), shop.publish(shop.build())

    with without_network(shop):
        shop.project.ssh(LATE.format(app=shop.app))
        status = shop.pull()
    late = shop.project.ssh(
        "journalctl -q -o json _TRANSPORT=stdout | jq -r 'select(._COMM == null).MESSAGE'"
    )

    assert "Error" in late
    assert (status["result"], shop.serving()) == ("node-fault", served), str(status)
    shop.forget_fault()
    updates_to(shop, wanted)


@contextmanager
def without_network(shop: Shop) -> Iterator[None]:
    """Take away the app's network, without which podman starts no slot."""
    network = f"/etc/containers/networks/{shop.app}.json"
    shop.project.ssh(f"mv {network} /run/network.json")
    try:
        yield
    finally:
        shop.project.ssh(f"mv /run/network.json {network}")


def test_after_a_power_cut_at_any_moment_of_a_look_the_right_release_serves(shop: Shop) -> None:
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    print(f"SEED={seed}")  # noqa: T201 -- to try the same moments again
    chance = random.Random(seed)  # noqa: S311 -- no secret
    shop.publish(shop.build(layer_bytes=SMALL_BYTES))
    began = time.monotonic()
    assert shop.pull()["result"] == "updated"
    whole = time.monotonic() - began

    for number in range(CUTS):
        served, wanted = shop.serving(), shop.publish(shop.build(layer_bytes=SMALL_BYTES))
        moment = whole * (number + chance.random()) / CUTS
        shop.begin()
        time.sleep(moment)

        shop.project.cut_power()

        met = f"SEED={seed}: cut {number} after {moment:.2f} of {whole:.2f} s"
        shop.await_page()
        now = shop.serving()
        assert now in (served, wanted), met
        assert shop.running() == [now], met
        print(met, "new" if now == wanted else "old")  # noqa: T201
        status = shop.pull()
        assert status["result"] in ("updated", "same"), f"{met}: {status}"
        assert shop.running() == [shop.serving()] == [wanted], f"{met}: {status}"
        assert shop.tried(wanted) == 0, met
        assert status["digest"] not in shop.blamed(), met
        assert left(shop) == [], met
        shop.await_page()
