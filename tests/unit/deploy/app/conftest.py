"""A shop on the workstation, the node that it is deployed to, and the site that visitors reach."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs import keyfile
from certs.store import Material, write_public, write_secret
from deploy.app import planner
from deploy.app.plan.desired_state import DesiredState
from deploy.app.planner import load_artifacts
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, Whole
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.spec.render import render
from tests.unit.certs.forge import Made, Recipe, forge
from tests.unit.deploy.examples import IMAGE, fresh, held_files, manifest, settings, state
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.site import Site, page, serve

NAME = "www.example.org"
PASSWORD = "hunter2"
DAY = timedelta(days=1)


class NamedImage:
    """An image whose layers are all on the node: here only its name and digests are known."""

    def image(self) -> Image:
        return IMAGE

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        raise AssertionError("no layer is to be sent")

    def whole(self) -> Whole:
        raise AssertionError("no image is to be sent")


@dataclass(frozen=True)
class Shop:
    """The operator's folder, the node, and the site that answers for the app."""

    folder: Path
    remote: FakeRemote
    site: Site

    def project(self, **values: object) -> Project:
        """Make the project, with some settings of its own."""
        own = {
            "HTTPS_PORT": str(self.site.endpoint.port),
            "PUBLIC_ADDRESS": "127.0.0.1",
            "NODE_ADDRESS": "web1",
            "CERT_NAMES": NAME,
            "CERT_PASSWORD": PASSWORD,
            "HEALTH_TIMEOUT_SECONDS": "1",
        }
        return Project(self.folder, settings(**own | values))

    def desired(self, **values: object) -> DesiredState:
        """Load the desired state."""
        with load_artifacts(render(self.project(**values))) as artifacts:
            return artifacts.desired

    def deployed(self, **changes: object) -> NodeState:
        """Make the state of a node where release r1 is what the shop wants."""
        desired = self.desired()
        own = {
            "manifest": manifest(desired, release="r1"),
            "files": dict(held_files(desired.units)),
            "layers": {desired.image.id: desired.image.layers},
        }
        return state(**own | changes)

    def empty(self) -> NodeState:
        """Make the state of a node that has the image and nothing else."""
        return fresh(layers={IMAGE.id: IMAGE.layers})

    def probed(self, *states: NodeState) -> None:
        """Have the node answer probes with these states in turn; the last one stays."""
        self.remote.answers["probe"] = [one.model_dump_json() for one in states]


@pytest.fixture(scope="session")
def shown() -> Made:
    """The certificate that the shop has and its site shows."""
    now = datetime.now(UTC)
    return forge(Recipe(subject=NAME, names=(NAME,), start=now - DAY, end=now + 90 * DAY))


@pytest.fixture
def shop(
    tmp_path: Path, shown: Made, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, home: Path
) -> Iterator[Shop]:
    """A shop with certificate and key, whose site is healthy."""
    material = Material("shop-www", tmp_path / "certs/material")
    material.key.parent.mkdir(parents=True, mode=0o700)
    write_public(material.certificate, shown.certificate.pem)
    write_secret(material.key, keyfile.encrypt(shown.key, PASSWORD.encode()))
    image = Export(NamedImage(), Cache(tmp_path / "cache", 0))
    monkeypatch.setattr(planner, "open_image", lambda _: image)
    with serve(page("200 OK"), shown) as site:
        yield Shop(tmp_path, remote, site)
