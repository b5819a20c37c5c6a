"""A shop on the workstation, its node and its site; and a deploy of it that is under way."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from deploy.app.credentials import Credentials
from deploy.app.execution import Execution
from deploy.app.plan.desired_state import DesiredState
from deploy.app.planner import Artifacts, load_artifacts
from deploy.app.tls import Pair
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, SaveCommand
from deploy.node.endpoint import Endpoint
from deploy.node.release import proof_of
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.spec.render import render
from tests.unit.certs.forge import Recipe, chained, forge
from tests.unit.deploy.examples import DESIRED, IMAGE, fresh, held_files, manifest, settings, state
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.site import Site

NAME = "www.example.org"
PASSWORD = "hunter2"
DAY = timedelta(days=1)
MADE = forge(Recipe())
SHOWN = replace(DESIRED, certificate=MADE.certificate.sha256)
NOWHERE = Endpoint("192.0.2.1", 443, "x")


class NamedImage:
    """An image whose layers are all on the node: here only its name and digests are known."""

    def image(self, platform: str = "") -> Image:
        return IMAGE

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        raise AssertionError("no layer is to be sent")

    def save_command(self) -> SaveCommand:
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
            "TLS": "app",
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


def execution(
    remote: FakeRemote, endpoint: Endpoint, before: NodeState, **values: object
) -> Execution:
    """Make a deploy of release r2."""
    given = {
        "CERT_PASSWORD": "hunter2",
        "HEALTH_TIMEOUT_SECONDS": "1",
        "NODE_ADDRESS": "web1",
        "PUBLIC_ADDRESS": endpoint.address,
        "HTTPS_PORT": str(endpoint.port),
        "CERT_NAMES": endpoint.host,
        "TLS": "app",
    }
    project = Project(Path(), settings(**given | values))
    pair = Pair(chained(MADE), b"encrypted")
    export = Export(NamedImage(), Cache(Path(), 0))
    artifacts = Artifacts(render(project), SHOWN, export, pair, Credentials(project.settings, None))
    return Execution(
        remote,
        project,
        (endpoint,),
        manifest(SHOWN, release="r2", proof=proof_of(project.settings)),
        before,
        project.settings.switch,
        artifacts=artifacts,
    )


def before(site: Site | None = None) -> NodeState:
    """Make the state of a node where r1 serves, with the certificate that a site shows."""
    held = manifest(SHOWN, release="r1")
    return state(
        manifest=held.model_copy(update={"certificate": site.certificate}) if site else held,
        credentials={"cert_pass": "different"},
    )
