"""A node that follows a tag of a registry by itself."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.images import build_image, remove_images
from tests.system import registry
from tests.system.conftest import NAME, authority, booted
from tests.system.page import get
from tests.system.project import Project, configure, write_settings
from tests.system.registry import Registry
from tests.system.visitors import Visits, visiting

pytestmark = pytest.mark.node
REPO = "shop/www"
NEVER_HEALTHY = 'ENTRYPOINT []\nCMD ["/usr/bin/python3", "-c", "import time; time.sleep(1000)"]'
EXITS = 'ENTRYPOINT []\nCMD ["/usr/bin/python3", "-c", "raise SystemExit(1)"]'


@dataclass(slots=True)
class Shop:
    """An app that follows a tag, and the registry of that."""

    project: Project
    registry: Registry
    log: Path
    built: int = 0

    @property
    def app(self) -> str:
        return f"{self.project.settings['PROJECT']}-www"

    @property
    def tags(self) -> Path:
        return self.registry.store / "docker/registry/v2/repositories" / REPO / "_manifests/tags"

    def name(self, number: int) -> str:
        """Name an image that was built."""
        return f"{self.project.settings['IMAGE'].removesuffix(':latest')}:v{number}"

    def build(self, text: str = "") -> str:
        """Build an image on top of the sample app; return its name."""
        self.built += 1
        image = self.name(self.built)
        lines = f"FROM {self.project.settings['IMAGE']}\nLABEL v={self.built}\n{text}\n"
        build_image(image, lines, self.project.folder, form="docker")
        return image

    def publish(self, image: str) -> str:
        """Publish an image; return its id."""
        self.project.must("publish", IMAGE=image)
        words = ["podman", "image", "inspect", "--format", "sha256:{{.Id}}", image]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def pull(self) -> dict[str, str]:
        """Have the node look at the tag; return what it notes of that."""
        status = f"/var/lib/corefab/pull/{self.app}/status.json"
        look = f"rm -f {status}; systemctl start {self.app}-pull.service || true; cat {status}"
        return dict(json.loads(self.project.ssh(look, seconds=200)))

    def tried(self, image: str) -> int:
        """Count how often the node tried an image that failed."""
        failed = "jq -r 'select(.result == \"failed\").image' /var/lib/corefab/audit.log"
        return self.project.ssh(failed).split().count(image)

    def serving(self) -> str:
        """Read the id of the image that serves."""
        return str(self.manifest()["image_id"])

    def manifest(self) -> dict[str, object]:
        return dict(json.loads(self.project.ssh(f"cat /var/lib/{self.app}/current/manifest.json")))

    def fetched(self) -> int:
        """Count the blobs that were fetched from the registry, by anybody."""
        lines = self.log.read_text().splitlines()
        return sum('"GET /v2/shop/www/blobs/' in line for line in lines)

    def cut(self, before: str) -> None:
        """Have the node look at the tag, and kill the updater before it comes to a line."""
        text = f"/etc/corefab/pull/{self.app}/pull.sh"
        put = f"sed 's/^{before}/kill -9 $$; &/' {text} >{text}.cut; grep -q kill {text}.cut"
        self.project.ssh(f"{put}\nbash {text}.cut {self.app} || true\nrm {text}.cut", seconds=200)

    @contextmanager
    def instead_of(self, script: str, text: str) -> Iterator[None]:
        """Put another text in place of a script of the updater's, for a block."""
        path = f"/etc/corefab/pull/{self.app}/{script}.sh"
        self.project.ssh(f"cp {path} {path}.kept\ncat >{path} <<'END'\n{text}\nEND")
        yield
        self.project.ssh(f"mv {path}.kept {path}")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Deploy an app whose tag names what was deployed."""
    with booted(tmp_path_factory.mktemp("pull"), f"pull{os.getpid()}") as made:
        at, folder = IPv4Address(made.node.address) - 1, tmp_path_factory.mktemp("registry")
        with registry.running(folder, secrets.token_urlsafe(24), at=str(at)) as found:
            own = {
                "PULL": f"{found.address}/{REPO}:live",
                "PULL_ROOT": str(found.root),
                "PULL_LOGIN": found.login,
                "PUBLISH_LOGIN": found.login,
                "PULL_EVERY": "yearly",
                "HEALTH_TIMEOUT_SECONDS": "15",
                "STOP_SECONDS": "2",
            }
            made.settings.update(own)
            write_settings(made.folder / ".env", (made.folder / ".env").read_text(), own)
            made.must("publish-key")
            made.must("publish")
            made.must("deploy", "--first")
            shop = Shop(made, found, folder / "log")
            yield shop
            if shop.built:
                remove_images(*map(shop.name, range(1, shop.built + 1)))


@pytest.fixture
def visits(shop: Shop) -> Iterator[Visits]:
    """Have visitors all through a test, who notice nothing; the updater has nothing left to do."""
    with visiting(shop.project.node.address, NAME, authority(shop.project)) as found:
        yield found
    assert found.failures == []
    assert found.answers > 0
    status, _ = get(shop.project.node.address, 443, NAME, authority(shop.project))
    assert status == 200


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
    fault = f"/var/lib/corefab/pull/{shop.app}/fault.json"
    shop.project.ssh(f"jq '.until = 0' {fault} >{fault}.new; mv {fault}.new {fault}")

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
