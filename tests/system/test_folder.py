"""An operator's folder apart from the checkout: every step from `fab init` to a served page."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import lifecycle
from tests.images import remove_images
from tests.root import ROOT
from tests.system.page import get
from tests.system.project import FAB, Project, write_settings
from tests.system.rehearsal.nodes import require_nodes

pytestmark = pytest.mark.node
PROJECT = f"apart{os.getpid()}"
IMAGE = f"localhost/corefab-apart-{os.getpid()}:latest"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Project]]:
    """Make two operator's folders with the same PROJECT from one checkout."""
    require_nodes()
    made = tuple(make_folder(tmp_path_factory.mktemp("operators") / name) for name in ("a", "b"))
    try:
        yield made[0], made[1]
    finally:
        for one in filter(owns_node, made):
            one.node_down()
        remove_images(IMAGE)


def make_folder(folder: Path) -> Project:
    subprocess.run([FAB, "init", folder, "--project", PROJECT], cwd=ROOT, check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True)
    chosen = {
        "PROJECT": PROJECT,
        "IMAGE": IMAGE,
        "SSH_KEYS": "id.pub",
        "IDENTITY_FILE": "id",
        "CERT_PASSWORD": "of the first",
        "AUTHORITY_PASSWORD": "of the authority",
        "SMTP_PASSWORD": "of the second",
        "SETTLE_SECONDS": "0",
    }
    write_settings(folder / ".env", (folder / ".env").read_text(), chosen)
    return Project(folder, chosen)


def owns_node(project: Project) -> bool:
    return any(one.owner == project.folder.resolve() for one in lifecycle.status())


@pytest.mark.slow
def test_two_folders_with_one_project_work_beside_each_other(
    folders: tuple[Project, Project],
) -> None:
    one, other = folders

    for project in folders:
        project.must("cert-issue")
        project.must("prepare", "--yes")
        project.must("check")
    specs = [project.folder / f"build/{PROJECT}-www.ign" for project in folders]
    assert specs[0].read_text() != specs[1].read_text(), "each lets its own key in"

    one.must("sample-build")
    one.must("rehearsal-up")
    refused = other.fab("rehearsal-up")
    assert refused.code == 1
    assert str(one.folder) in refused.out

    one.must("deploy", "--first")
    authority = one.folder / "certs/material/authority/ca.crt"
    assert get(one.node.address, 443, "shop.example.org", authority)[0] == 200
    assert "nothing to do" in one.must("deploy")
    assert other.fab("deploy", "--first").code == 1

    other.must("rehearsal-down", "--all")
    assert owns_node(one)
    one.must("rehearsal-down")
    for place in ("build", "state/releases", "certs/material"):
        assert list((ROOT / place).glob(f"{PROJECT}*")) == [], "the checkout stays as it is"
