"""A public site as a new user sets it up: five settings, two apps, automatic certificates."""

import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deploy.settings.model import PROXY_BUILT
from tests.images import remove_images
from tests.root import ROOT
from tests.system import visited
from tests.system.project import FAB, Project, write_settings
from tests.system.proxied import connected, said, websocket
from tests.system.rehearsal.nodes import require_nodes
from tests.unit.certs.pebble import HMAC_KEY, Pebble, running

pytestmark = [pytest.mark.node, pytest.mark.slow]
LIVE, STAGING = "example.org", "staging.example.org"
PROJECT = f"site{os.getpid()}"
IMAGES = tuple(f"localhost/corefab-{PROJECT}-{word}:latest" for word in ("base", "one", "two"))
KEPT = "var/kept"
DATA, UNIT = f"/var/lib/{PROJECT}-www/data", rf"var-lib-{PROJECT}\x2dwww-data.mount"


@dataclass(slots=True)
class Site(Project):
    """A project whose outside world is this machine; `outside` are the settings for that."""

    outside: dict[str, str] = field(default_factory=dict)

    def environment(self, **settings: str) -> dict[str, str]:
        return Project.environment(self, **self.outside | settings)

    def shown(self) -> list[str]:
        """List the certificates that visitors of both apps get."""
        found = [json.loads(self.must("cert-status", "--json", *words))["places"] for words in BOTH]
        assert all("Pebble" in one["issuer"] for places in found for one in places)
        return sorted({one["sha256"] for places in found for one in places})


BOTH: tuple[list[str], ...] = ([], ["--name", "staging"])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Make an operator's folder and a machine; the settings are not there yet."""
    require_nodes()
    folder = tmp_path_factory.mktemp("site") / "shop"
    subprocess.run([FAB, "init", folder, "--project", PROJECT], cwd=ROOT, check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True)
    # The keys stand for those in ~/.ssh, the image for the one of a registry.
    outside = {"SSH_KEYS": "id.pub", "IDENTITY_FILE": "id", "PROXY_IMAGE": PROXY_BUILT}
    outside |= {"SETTLE_SECONDS": "0", "DATA_PARTITION": "kept-data"}
    made = Site(folder, {"PROJECT": PROJECT}, outside)
    base, *versions = IMAGES
    try:
        made.must("sample-build", IMAGE=base)
        for tag in versions:
            version = tag.partition(":")[0].rpartition("-")[2]
            visited.build(tag, folder, base, f"ENV GREETING={version}")
        made.must("prepare", "--yes")
        install(made)
        yield made
    finally:
        made.node_down()
        remove_images(*IMAGES)


def install(site: Site, kept: Path | None = None) -> None:
    """Boot the machine for the first time, its data on a file system that may be there already."""
    site.must("rehearsal-up")
    if kept:
        copy(kept, site.node.tree / KEPT)
    # A rehearsal node has no disk for a partition: a folder takes its place.
    text = f"[Mount]\nWhat=/{KEPT}\nWhere={DATA}\nOptions=bind\n[Install]\nWantedBy=local-fs.target"
    site.ssh(
        f"mkdir -p /{KEPT}; chown {PROJECT}-www: /{KEPT}; chmod 0750 /{KEPT}\n"
        f"echo '{text}' >'/etc/systemd/system/{UNIT}'; systemctl enable --now '{UNIT}'"
    )
    five = {
        "PROJECT": PROJECT,
        "IMAGE": IMAGES[1],
        "CERT_NAMES": LIVE,
        "NODE_ADDRESS": site.node.address,
        "ACME_EMAIL": "ops@example.org",
    }
    write_settings(site.folder / ".env", (site.folder / ".env").read_text(), five)
    write_settings(site.folder / ".env.staging", "", {"NAME": "staging", "CERT_NAMES": STAGING})


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--archive", source, target], check=True)


@pytest.fixture(scope="module")
def pebble(
    machine: Site, tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> Iterator[Pebble]:
    """Run an authority that takes accounts of its customers alone, and visits the machine."""
    node = machine.node
    address = node.address.rsplit(".", 1)
    gateway = f"{address[0]}.{int(address[1]) - 1}"
    folder = tmp_path_factory.mktemp("pebble")
    moods = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "10"}
    with running(
        folder, program, moods, binding=HMAC_KEY, visits=(node.address, 80), at=gateway
    ) as found:
        yield found


@pytest.fixture(scope="module")
def site(machine: Site, pebble: Pebble) -> Site:
    """Deploy both apps for the first time."""
    machine.outside |= {
        "ACME_DIRECTORY": pebble.server.directory,
        "ACME_ROOT": str(pebble.server.trust),
        "ACME_KEY_ID": "kid-1",
        "ACME_HMAC_KEY": HMAC_KEY,
    }
    for words in BOTH:
        machine.must("deploy", "--first", *words)
    return machine


@pytest.fixture
def trusted(pebble: Pebble) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pebble.authority)


def test_one_app_is_redeployed_and_no_connection_to_the_other_notices(
    site: Site, trusted: ssl.SSLContext
) -> None:
    size = 20 << 20
    with (
        connected(site, STAGING, trusted=trusted) as kept,
        connected(site, STAGING, trusted=trusted) as download,
        websocket(site, STAGING, trusted=trusted) as talk,
    ):
        assert page(kept) == "one"
        own_end = kept.sock.getsockname()
        # More than the buffers on the way hold: the rest is sent when it is read.
        download.request("GET", f"/download?{size}")
        answer = download.getresponse()
        assert answer.read(3) == b"one"
        assert said(talk, "before") == "one before"

        site.must("deploy", IMAGE=IMAGES[2])
        with connected(site, LIVE, trusted=trusted) as fresh:
            assert page(fresh) == "two"

        assert said(talk, "after") == "one after"
        assert answer.read() == b"one" * (size - 1)
        assert page(kept) == "one"
        assert kept.sock.getsockname() == own_end


def page(connection: HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def test_the_key_of_the_account_is_on_no_disk(site: Site) -> None:
    found = site.ssh(
        f"findmnt -no FSTYPE -T /run/corefab/proxy/certs; "
        f"grep -rl {HMAC_KEY} /run/corefab; grep -rlF {HMAC_KEY} /etc /var || true"
    )

    accounts = [f"/run/corefab/proxy/certs/{PROJECT}-{name}.account" for name in ("staging", "www")]
    assert "acme_hmac_key" in site.must("creds-list")
    kind, *files = found.split()
    assert kind == "tmpfs"
    assert sorted(files) == accounts


def test_a_reinstall_keeps_the_certificates_where_there_is_a_data_partition(
    site: Site, pebble: Pebble, tmp_path: Path
) -> None:
    before, ordered = site.shown(), pebble.orders
    assert len(before) == 2
    assert ordered == 2
    copy(site.node.tree / KEPT, tmp_path / "kept")

    install(site, tmp_path / "kept")
    for words in BOTH:
        site.must("deploy", "--first", *words)

    assert site.shown() == before
    assert pebble.orders == ordered
    # The partition is a stand-in, and so is its mount unit.
    for words in BOTH:
        found = json.loads(site.fab("drift", "--json", *words).out)["findings"]
        assert [one["subject"] for one in found] == [f"/etc/systemd/system/{UNIT}"]
    assert json.loads(site.must("proxy-status", "--json"))["health"] == "healthy"


def test_an_app_neither_sees_nor_replaces_what_the_proxy_keeps_in_its_data(site: Site) -> None:
    kept = "/data/.corefab-proxy"
    tries = (
        f"import os; print(os.listdir('{kept}'))",
        f"import os; os.rename('{kept}', '/data/moved')",
    )
    runs = [f'podman exec {site.container()} python3 -c "{one}" 2>&1 || true' for one in tries]

    seen, moved = (site.ssh(one).strip().splitlines()[-1] for one in runs)

    assert seen == "[]"
    assert "Device or resource busy" in moved
    assert "certificates" in site.ssh(f"ls /{KEPT}/.corefab-proxy")


def test_a_link_in_place_of_the_proxys_folder_is_not_followed(site: Site) -> None:
    kept, data = f"/{KEPT}/.corefab-proxy", "/var/lib/corefab-proxy/data"
    prepare = "bash /etc/corefab/proxy/proxy.sh prepare 2>&1"
    site.ssh(f"umount {data}; mv {kept} /{KEPT}/aside; ln -s /etc {kept}")

    said = site.ssh(f"{prepare}; ! mountpoint -q {data}; stat -c %U /etc")

    assert "is not the proxy's: remove it" in said
    assert said.endswith("root\n")
    site.ssh(f"rm {kept}; mv /{KEPT}/aside {kept}; {prepare}; mountpoint {data}")
