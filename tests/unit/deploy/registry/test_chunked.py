"""Podman makes zstd:chunked of an image in its storage; what it changes is not published."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.errors import DeployError
from deploy.image.wire.zstd import unpack
from tests.images import remove_images
from tests.unit.deploy.image.make import noise
from tests.unit.deploy.registry.conftest import project_at
from tests.unit.deploy.registry.fake_registry import FakeRegistry
from tests.unit.deploy.registry.test_publish import REPO, send, unpacked_layers

pytestmark = pytest.mark.program


@contextmanager
def built(podman: str, folder: Path) -> Iterator[str]:
    """Build an image of two layers; give its name."""
    name = f"localhost/chunked-{uuid4().hex[:8]}:1"
    (folder / "base").write_bytes(noise(50_000))
    (folder / "app").write_text("one")
    (folder / "Containerfile").write_text("FROM scratch\nCOPY base /\nCOPY app /\n")
    build = [podman, "build", "--quiet", "--layers", "--tag", name, str(folder)]
    subprocess.run(build, check=True, capture_output=True)
    try:
        yield name
    finally:
        remove_images(name)


def test_an_image_is_published_as_zstd_chunked(
    tmp_path: Path, registry: FakeRegistry, program: Callable[[str], str]
) -> None:
    podman = program("podman")
    with built(podman, tmp_path) as name:
        project = project_at(tmp_path, registry, IMAGE=name, PUBLISH_FORMAT="zstd:chunked")
        send(project)
        shown = [podman, "image", "inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", name]
        said = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        before = len(registry.written)
        send(project)

    manifest = registry.json(REPO, "live")
    assert registry.written[before:] == []
    assert manifest["config"]["digest"].removeprefix("sha256:") == said.split()[0]
    assert unpacked_layers(registry, manifest) == said.split(None, 1)[1].strip("[]\n").split()
    for one in manifest["layers"]:
        assert any(key.endswith("zstd-chunked.manifest-checksum") for key in one["annotations"])


def test_what_podman_has_changed_is_not_published(
    tmp_path: Path,
    registry: FakeRegistry,
    program: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changing(stream: object, out: object, **_: object) -> None:
        unpack(stream, out)  # type: ignore[arg-type]
        out.write(b"\0")  # type: ignore[attr-defined]

    monkeypatch.setattr("deploy.registry.chunked.unpack", changing)
    with built(program("podman"), tmp_path) as name:
        project = project_at(tmp_path, registry, IMAGE=name, PUBLISH_FORMAT="zstd:chunked")
        with pytest.raises(DeployError, match="podman changes layer"):
            send(project)

    assert registry.written == []
