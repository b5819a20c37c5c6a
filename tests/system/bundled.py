"""What stands under the tag of a node's bundle, put there past `fab publish`."""

import gzip
import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle.plan.content import Author, Configuration, Contents, bundle
from deploy.bundle.send import send
from deploy.project import Project
from deploy.registry.plan.manifest import CONFIG_TYPE, LAYER_TYPE, artifact, blob_of
from deploy.registry.publisher import Publisher
from deploy.settings.load import read_settings
from deploy.spec.plan.pull import node_bundle

_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The tag of a node's bundle, as one who has taken over the registry can write it."""

    folder: Path
    root: Path

    @property
    def publisher(self) -> Publisher:
        project = Project(self.folder, read_settings(self.folder))
        return Publisher.of(project, node_bundle(project.settings))

    def read(self) -> bytes:
        """Read the manifest that the tag names."""
        return self._ask("GET", b"")

    def write(self, manifest: bytes) -> None:
        """Make the tag name a manifest whose blobs are there."""
        self._ask("PUT", manifest)

    def unsigned(self) -> None:
        """Make the tag name an unsigned bundle."""
        packed = gzip.compress(b"unsigned")
        layer = blob_of(packed, f"{LAYER_TYPE}+gzip")
        config, manifest = artifact(layer, b"unsigned")
        registry = self.publisher.registry
        registry.put_blob(layer, packed)
        registry.put_blob(blob_of(config, CONFIG_TYPE), config)
        self.write(manifest.content)

    def of_another(self, node: str) -> None:
        """Publish a bundle for another node under this node's tag, signed as it should be."""
        publisher = self.publisher
        serial = publisher.next_serial()
        made = Configuration(serial, "a" * 64, ("a" * 64,), Author("test"), ())
        send(publisher, bundle(node, serial, Contents(made)))

    def _ask(self, method: str, body: bytes) -> bytes:
        registry, _, rest = str(self.publisher.reference).partition("/")
        repository, _, tag = rest.rpartition(":")
        trusted = ssl.create_default_context(cafile=str(self.root))
        connection = http.client.HTTPSConnection(registry, timeout=10, context=trusted)
        place = f"/v2/{repository}/manifests/{tag}"
        with closing(connection):
            connection.request(method, place, body, {"Accept": _TYPE, "Content-Type": _TYPE})
            answer = connection.getresponse()
            found = answer.read()
        assert answer.status in {200, 201}, found
        return found


def audit_lines(tree: Path) -> list[dict[str, str]]:
    """Read a node's journal of changes from its files."""
    text = (tree / "var/lib/corefab/audit.log").read_text()
    return [json.loads(line) for line in text.splitlines()]
