"""Media made by the real coreos-installer, from synthetic ones in Fedora CoreOS's layout."""

import base64
import gzip
import json
import secrets
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.install.machine import installer
from tests.system.project import Project, make_project

pytestmark = pytest.mark.install

FEATURES = {
    "installer-config": True,
    "installer-config-directives": {"console": True},
    "live-initrd-network": True,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("media")
    made = make_project(folder, "media", CERT_PASSWORD=secrets.token_urlsafe(24))
    made.must("prepare", "--yes")
    (folder / "wired.nmconnection").write_text("[connection]\nid=wired\n")
    return made


@pytest.fixture(scope="module")
def live_iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an ISO with the embed area and the feature list of a real one, and nothing to boot."""
    folder = tmp_path_factory.mktemp("iso")
    tree = folder / "tree"
    (tree / "images").mkdir(parents=True)
    (tree / "coreos").mkdir()
    (tree / "images/ignition.img").write_bytes(bytes(256 << 10))
    (tree / "coreos/features.json").write_text(json.dumps(FEATURES))
    made = folder / "live.iso"
    words = ["xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "1", "-o", str(made), str(tree)]
    subprocess.run(words, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def live_initramfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an initramfs with the feature list of a real one."""
    folder = tmp_path_factory.mktemp("pxe")
    (folder / "etc/coreos").mkdir(parents=True)
    (folder / "etc/coreos/features.json").write_text(json.dumps(FEATURES))
    (folder / "etc/coreos-live-initramfs").touch()
    names = "etc\netc/coreos\netc/coreos/features.json\netc/coreos-live-initramfs\n"
    words = ["cpio", "--quiet", "-o", "-H", "newc"]
    done = subprocess.run(words, cwd=folder, input=names.encode(), check=True, capture_output=True)
    made = folder / "initramfs.img"
    made.write_bytes(gzip.compress(done.stdout))
    return made


def shown(*words: str | Path) -> bytes:
    return subprocess.run([installer(), *words], check=True, capture_output=True).stdout


def merged(config: bytes) -> list[dict[str, Any]]:
    """List the configs that a config is made of, itself first."""
    whole: dict[str, Any] = json.loads(config)
    found = [whole]
    for part in whole["ignition"].get("config", {}).get("merge", []):
        head, _, body = part["source"].partition(",")
        assert head.endswith("base64"), head
        content = base64.b64decode(body)
        plain = gzip.decompress(content) if part.get("compression") == "gzip" else content
        found += merged(plain)
    return found


def files_of(config: bytes) -> set[str]:
    parts = merged(config)
    return {one["path"] for part in parts for one in part.get("storage", {}).get("files", [])}


def users_of(config: bytes) -> set[str]:
    parts = merged(config)
    return {one["name"] for part in parts for one in part.get("passwd", {}).get("users", [])}


def test_an_iso_lets_us_in_with_a_host_key_that_we_know(project: Project, live_iso: Path) -> None:
    said = project.must(
        "iso", str(live_iso), "--installer-option=--network-keyfile=wired.nmconnection"
    )

    made = project.folder / "build/media/corefab.iso"
    config = shown("iso", "ignition", "show", made)
    assert users_of(config) == {"core"}
    assert files_of(config) == {
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
    }
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert "next, once it is up: fab install" in said
    keys = (project.folder / "build/media/host_keys.pub").read_text().splitlines()
    assert len(keys) == 1
    assert " - ssh-ed25519 " in keys[0]


def test_no_private_key_stays_here_but_in_the_medium(project: Project, live_iso: Path) -> None:
    project.must("iso", str(live_iso), "--force")

    build = project.folder / "build"
    holding = [
        path.name
        for path in build.rglob("*")
        if path.is_file() and b"OPENSSH PRIVATE KEY" in path.read_bytes()
    ]
    assert holding == []  # in the ISO it is packed


def test_an_iso_that_installs_unattended_brings_the_machines_own_spec(
    project: Project, live_iso: Path
) -> None:
    said = project.must(
        *("iso", str(live_iso), "--output", "build/media/auto.iso", "--device", "/dev/vda"),
        *("--console", "ttyS0,115200", "--append-karg", "mitigations=auto"),
    )

    made = project.folder / "build/media/auto.iso"
    config = shown("iso", "ignition", "show", made)
    assert "/etc/coreos/dest.ign" in files_of(config)
    assert any(name.startswith("/etc/coreos/installer.d/") for name in files_of(config))
    assert "erases /dev/vda without asking" in said
    assert "fab trust --fingerprint SHA256:" in said


def test_an_initramfs_for_network_boot_does_the_same(
    project: Project, live_initramfs: Path
) -> None:
    url = "https://example.org/rootfs"
    said = project.must("pxe", str(live_initramfs), "--rootfs-url", url)

    made = project.folder / "build/media/corefab-initramfs.img"
    config = shown("pxe", "ignition", "unwrap", made)
    assert users_of(config) == {"core"}
    assert files_of(config) == set()
    assert f"coreos.live.rootfs_url={url} ignition.firstboot" in said
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.iso",), "nothing.iso does not exist"),
        (("id",), "coreos-installer failed"),
        (("id", "--console", "ttyS0"), "no --device is given"),
        (("id", "--installer", "/nothing"), "/nothing does not exist"),
    ],
)
def test_what_cannot_become_a_medium_is_refused(
    project: Project, words: tuple[str, ...], message: str
) -> None:
    said = project.fab("iso", *words, "--output", "build/media/never.iso")

    assert said.code == 1
    assert message in said.out
    assert not (project.folder / "build/media/never.iso").exists()
