"""What an older corefab deployed is taken over: looked at, changed, renewed and gone back to."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from rehearsal import lifecycle
from tests.images import remove_images
from tests.root import ROOT
from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project, configure, write_settings
from tests.system.rehearsal.nodes import require_nodes

pytestmark = [pytest.mark.node, pytest.mark.slow]
OLD = "64bbd26321057eeceac5775aead236c992b437a0"


@pytest.fixture(scope="module")
def tracked() -> tuple[str, ...]:
    """List the files of the old version; skip where the clone has no history that far back."""
    found = git("ls-tree", "-r", "--name-only", OLD)
    if found.returncode and os.environ.get("CI") == "true":
        pytest.fail(f"commit {OLD} is not in this clone; fetch the whole history")
    if found.returncode:
        pytest.skip(f"commit {OLD} is not in this clone")
    return tuple(found.stdout.decode().splitlines())


@pytest.fixture(scope="module")
def upgraded(
    tracked: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Deploy twice with the old version, and then have the new one in the same folder."""
    require_nodes()
    folder = tmp_path_factory.mktemp("project")
    # Group and others may not write, as in a clone: the modes go into the node's base system.
    archive = git("-c", "tar.umask=0022", "archive", OLD).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    project = configure(
        folder,
        f"upgrade{os.getpid()}",
        IMAGE=f"localhost/corefab-upgrade-{os.getpid()}:latest",
        CERT_PASSWORD="of the first",
        SMTP_PASSWORD="of the second",
        HEALTH_TIMEOUT_SECONDS="30",
        SETTLE_SECONDS="0",
        DRAIN_SECONDS="5",
    )
    try:
        for words in (("sample-build",), ("cert-issue",), ("prepare", "--yes"), ("node-up",)):
            project.must(*words)
        project.must("deploy", "--first")
        project.must("deploy", ENV_GREETING="Hello from the old one")
        upgrade(project, tracked)
        yield project
    finally:
        lifecycle.down(project.settings["PROJECT"], project.folder)
        image = project.settings["IMAGE"]
        remove_images(image)


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, check=False)


def upgrade(project: Project, tracked: tuple[str, ...]) -> None:
    """Do what `git pull` does: what the operator made stays, and settings that are gone go."""
    for name in tracked:
        (project.folder / name).unlink(missing_ok=True)
    subprocess.run([ROOT / "scripts/checkout", project.folder], check=True)
    project.settings["AUTHORITY_PASSWORD"] = "of the authority"
    # As CHANGELOG.md says: an app of before ends TLS itself.
    project.settings["TLS"] = "app"
    project.settings["CERT_NAMES"] = "shop.example.org, www.shop.example.org"
    example = (project.folder / ".env.example").read_text()
    write_settings(project.folder / ".env", example, project.settings)


def greeting(project: Project) -> str:
    """Say what the app that serves was started with; a visitor gets its page."""
    status, _ = get(project.node.address, 443, NAME, authority(project))
    assert status == 200
    form = "'{{range .Config.Env}}{{println .}}{{end}}'"
    lines = project.ssh(f"podman inspect --format {form} {project.container()}").splitlines()
    return next(line for line in lines if line.startswith("GREETING="))


def releases(project: Project) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(project.must("releases", "--json"))["releases"]
    return found


def test_a_node_of_an_older_version_is_taken_over(upgraded: Project) -> None:
    old, *_ = [one["release"] for one in releases(upgraded)]
    assert "healthy" in upgraded.must("status")
    assert upgraded.fab("drift").code == 0, "nothing was touched since the old version deployed"
    assert "old one" in greeting(upgraded)

    upgraded.must("deploy")
    assert "old one" not in greeting(upgraded)
    shown = certificate(upgraded)
    said = upgraded.must("cert-rotate-https")
    assert "authority/ca.key.enc is encrypted with AUTHORITY_PASSWORD now" in said
    said = upgraded.must("cert-rotate-https")
    assert "encrypted with" not in said
    assert certificate(upgraded) != shown

    upgraded.must("rollback", "--to", old)
    assert "old one" in greeting(upgraded)
    drift = upgraded.fab("drift")
    assert drift.code == 0, drift.out
    assert [one["result"] for one in releases(upgraded)].count("serves") == 1
    versions = "jq -s 'map(.schema_version)' /var/lib/*/current/manifest.json"
    assert json.loads(upgraded.ssh(versions)) == [1]


def certificate(project: Project) -> str:
    found: str = json.loads(project.must("cert-status", "--json"))["places"][1]["sha256"]
    return found


def test_what_a_newer_version_wrote_stops_a_deploy_before_it_begins(upgraded: Project) -> None:
    manifest = "manifest=$(readlink -e /var/lib/*-www/current)/manifest.json\n"
    upgraded.ssh(
        f"{manifest}cp $manifest /run/kept; jq '.schema_version = 99' /run/kept >$manifest"
    )

    said = upgraded.fab("deploy")
    upgraded.ssh(f"{manifest}cp /run/kept $manifest")

    assert said.code == 1
    assert "a manifest of schema version 99; this corefab knows up to 1" in said.out
    assert "upgrade corefab here" in said.out
    upgraded.must("status")
