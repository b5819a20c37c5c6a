"""An app whose node follows a tag, and the registry of that."""

import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from tests.images import build_image, remove_images
from tests.system import registry
from tests.system.conftest import NAME, authority, booted
from tests.system.outside import until
from tests.system.page import get
from tests.system.project import Project, write_settings
from tests.system.registry import Registry
from tests.system.visitors import Visits, visiting

REPO = "shop/www"
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
    def unit(self) -> str:
        return f"{self.app}-pull.service"

    @property
    def kept(self) -> str:
        """The updater's folder on the node."""
        return f"/var/lib/corefab/pull/{self.app}"

    @property
    def tags(self) -> Path:
        return self.registry.store / "docker/registry/v2/repositories" / REPO / "_manifests/tags"

    def name(self, number: int) -> str:
        """Name an image that was built."""
        return f"{self.project.settings['IMAGE'].removesuffix(':latest')}:v{number}"

    def build(self, text: str = "", *, layer_bytes: int = 0) -> str:
        """Build an image on top of the sample app, with a layer of noise; return its name."""
        self.built += 1
        image, context = self.name(self.built), self.log.parent / "context"
        context.mkdir(exist_ok=True)
        lines = f"FROM {self.project.settings['IMAGE']}\nLABEL v={self.built}\n{text}\n"
        if layer_bytes:
            (context / "noise").write_bytes(os.urandom(layer_bytes))
            lines += "COPY noise /\n"
        build_image(image, lines, context, form="docker")
        return image

    def publish(self, image: str) -> str:
        """Publish an image; return its id."""
        self.project.must("publish", IMAGE=image)
        words = ["podman", "image", "inspect", "--format", "sha256:{{.Id}}", image]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def pull(self) -> dict[str, str]:
        """Have the node look at the tag; return what it notes of that."""
        status = f"{self.kept}/status.json"
        look = f"rm -f {status}; systemctl start {self.unit} || true; cat {status}"
        return dict(json.loads(self.project.ssh(look, seconds=200)))

    def begin(self) -> None:
        """Have the node look at the tag, and do not wait for what comes of that."""
        self.project.ssh(f"rm -f {self.kept}/status.json; systemctl start --no-block {self.unit}")

    def result(self) -> dict[str, str]:
        """Wait until the node has noted what came of its look at the tag; return it."""
        status = f"{self.kept}/status.json"
        script = f"until [ -e {status} ]; do sleep 0.1; done; cat {status}"
        return dict(json.loads(self.project.ssh(script, seconds=200)))

    def tried(self, image: str) -> int:
        """Count how often the node tried an image that failed."""
        failed = "jq -r 'select(.result == \"failed\").image' /var/lib/corefab/audit.log"
        return self.project.ssh(failed).split().count(image)

    def blamed(self) -> str:
        """Read what the node holds against images, and what it waits for because of itself."""
        files = f"{self.kept}/failed {self.kept}/fault.json"
        return self.project.ssh(f"cat {files} 2>/dev/null || true")

    def forget_fault(self) -> None:
        """Have the node try again now what failed because of itself."""
        fault = f"{self.kept}/fault.json"
        self.project.ssh(f"jq '.until = 0' {fault} >{fault}.new; mv {fault}.new {fault}")

    def running(self) -> list[str]:
        """List the ids of the images that the app's slots run."""
        words = f"podman ps --filter 'name=^{self.app}-' --format '{{{{.ImageID}}}}' --no-trunc"
        return [f"sha256:{one.removeprefix('sha256:')}" for one in self.project.ssh(words).split()]

    def await_page(self) -> None:
        """Wait until visitors get the page."""
        address, trusted = self.project.node.address, authority(self.project)

        def page() -> str:
            with contextlib.suppress(OSError):
                return get(address, 443, NAME, trusted)[1]
            return ""

        until(page, "the page")

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
        try:
            yield
        finally:
            self.project.ssh(f"mv {path}.kept {path}")

    @contextmanager
    def visited(self) -> Iterator[Visits]:
        """Have visitors all through a block, who notice nothing."""
        address, trusted = self.project.node.address, authority(self.project)
        with visiting(address, NAME, trusted) as found:
            yield found
        assert found.failures == []
        assert found.answers > 0
        assert get(address, 443, NAME, trusted)[0] == 200


@contextmanager
def following(folder: Path, name: str) -> Iterator[Shop]:
    """Deploy an app whose tag names what was deployed."""
    with booted(folder / "project", name) as made:
        at = IPv4Address(made.node.address) - 1
        (folder / "registry").mkdir()
        with registry.running(folder / "registry", secrets.token_urlsafe(24), at=str(at)) as found:
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
            shop = Shop(made, found, folder / "registry/log")
            yield shop
            if shop.built:
                remove_images(*map(shop.name, range(1, shop.built + 1)))
