"""One project with one node for the session; every test leaves it serving."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal import stock
from tests.images import remove_images
from tests.system.page import get
from tests.system.project import Project, make_project, write_settings
from tests.system.rehearsal.nodes import require_nodes
from tests.system.visitors import Visits, visiting

CERT_PASSWORD = secrets.token_urlsafe(24)
SMTP_PASSWORD = secrets.token_urlsafe(24)
API_TOKEN = secrets.token_urlsafe(24)
NAME = "shop.example.org"
# Debian forky's sudo does not find programs in /usr/local, where some tests put one before another.
SHIMS = """
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
echo "Defaults secure_path=\\"$path\\"" >/etc/sudoers.d/shims
"""


@contextmanager
def booted(folder: Path, name: str) -> Iterator[Project]:
    """Boot a node from the machine spec of a fresh checkout, with the sample image built."""
    require_nodes()
    # Built here, once: inside `fab rehearsal-up` it would count against the limit of a command.
    stock.tree(lambda _: None)
    made = make_project(
        folder,
        name,
        IMAGE=f"localhost/corefab-{name}:latest",
        CERT_PASSWORD=CERT_PASSWORD,
        SMTP_PASSWORD=SMTP_PASSWORD,
        SECRET_API_TOKEN=API_TOKEN,
        HEALTH_TIMEOUT_SECONDS="30",
        SETTLE_SECONDS="0",
        ENV_FAULT="none:",
        DRAIN_SECONDS="5",
        ENV_ODD="'100% $HOME \"quoted\" back\\slash'",
    )
    try:
        made.must("sample-build")
        made.must("cert-issue")
        made.must("prepare", "--yes")
        made.must("rehearsal-up")
        made.ssh(SHIMS)
        yield made
    finally:
        made.node_down()
        remove_images(made.settings["IMAGE"])


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Boot the node that most tests share."""
    with booted(tmp_path_factory.mktemp("project"), f"test{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="session")
def deployed(project: Project) -> Project:
    """Deploy the app for the first time."""
    project.must("deploy", "--first")
    return project


@pytest.fixture
def serving(deployed: Project) -> Iterator[Project]:
    """Hand out the deployed app, and hold the test to leaving it serving with nothing to do."""
    yield deployed
    status, _ = get(deployed.node.address, 443, NAME, authority(deployed))
    assert status == 200
    assert "nothing to do" in deployed.must("deploy")


@pytest.fixture
def visits(serving: Project) -> Iterator[Visits]:
    """Have visitors all through the test, and hold it to their noticing nothing."""
    with visiting(serving.node.address, NAME, authority(serving)) as found:
        yield found
    assert found.failures == []
    assert found.answers > 0


@pytest.fixture(scope="session")
def staging(deployed: Project) -> Project:
    """Add a second instance to the same node."""
    example = (deployed.folder / ".env").read_text()
    chosen = {
        "NAME": "staging",
        "HTTPS_PORT": "8444",
        "HTTP_PORT": "8081",
        "CERT_NAMES": "staging.example.org",
    }
    write_settings(deployed.folder / ".env.staging", example, chosen)
    deployed.must("cert-issue", "--name", "staging")
    deployed.must("deploy", "--first", "--name", "staging")
    return deployed


def authority(project: Project) -> Path:
    """Name the file of the project's authority."""
    return project.folder / "certs/material/authority/ca.crt"
