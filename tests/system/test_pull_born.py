"""A machine that is born following a tag: without a deploy, without a login."""

import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.images import build_image, remove_images
from tests.system import registry
from tests.system.conftest import NAME
from tests.system.outside import reached
from tests.system.project import Project, make_project
from tests.system.rehearsal.nodes import require_nodes

pytestmark = [pytest.mark.node, pytest.mark.slow]
PATIENCE_SECONDS = 180
GREETING = 'os.environ.get("GREETING", "")'
# Of a password that nobody knows.
HASH = "$y$j9T$0123456789abcdef01234$0123456789012345678901234567890123456789012"


@dataclass(frozen=True, slots=True)
class Site:
    """A project whose images are plain HTTP apps, published to a registry that nodes reach."""

    project: Project

    def publish(self, page: str) -> None:
        """Publish an image that shows a page."""
        image = self.project.settings["IMAGE"]
        base = f"{image.removesuffix(':latest')}:base"
        lines = (
            f"FROM {base}\nLABEL io.corefab.status=''\nCOPY app.py /\n"
            'ENTRYPOINT []\nCMD ["/usr/bin/python3", "/app.py"]\n'
        )
        app = Path(__file__).with_name("visited_app.py").read_text()
        (self.project.folder / "app.py").write_text(app.replace(GREETING, repr(page)))
        build_image(image, lines, self.project.folder, form="docker")
        self.project.must("publish")

    def await_page(self, wanted: str) -> None:
        """Wait until visitors see a page."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.page()) != wanted:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    def page(self) -> str:
        connection = http.client.HTTPConnection(self.project.node.address, 80, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": NAME})
            return connection.getresponse().read().decode()
        except OSError as error:
            return str(error)
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    require_nodes()
    name = f"born{os.getpid()}"
    with reached(os.getpid()) as at, registry.running(made_folder(tmp_path), "", at=at) as found:
        made = make_project(
            tmp_path / "project",
            name,
            IMAGE=f"localhost/corefab-{name}:latest",
            TLS="none",
            HTTP_PORT="80",
            CERT_NAMES=NAME,
            PULL=f"{found.address}/shop/www:live",
            PULL_ROOT=str(found.root),
            PULL_EVERY="*:*:0/5",
            PULL_SPREAD="0",
            NOTIFY="false",
            WATCHDOG_SECONDS="0",
            HEALTH_PATH="/",
            ENV_LISTEN="",
            PROJECT_FILES="",
            SMTP_HOST="",
            SETTLE_SECONDS="0",
            HEALTH_TIMEOUT_SECONDS="60",
        )
        image, base = made.settings["IMAGE"], f"localhost/corefab-{name}:base"
        made.must("publish-key")
        made.must("sample-build", IMAGE=base)
        try:
            yield Site(made)
        finally:
            made.node_down()
            remove_images(image, base)


def made_folder(parent: Path) -> Path:
    (parent / "registry").mkdir()
    return parent / "registry"


def test_a_machine_without_ssh_serves_what_is_published(site: Site) -> None:
    site.publish("one")
    site.project.must("prepare", "--yes", SSH="off", CONSOLE_PASSWORD_HASH=HASH)
    site.project.must("rehearsal-up")

    site.await_page("one")
    site.publish("two")
    site.await_page("two")


def test_what_was_born_is_what_a_deploy_would_make(site: Site) -> None:
    site.project.must("prepare", "--yes")
    site.project.must("rehearsal-up")
    site.publish("one")

    site.await_page("one")

    assert "nothing to do" in site.project.must("deploy", "--wait", "120")
    assert "no drift" in site.project.must("drift")
