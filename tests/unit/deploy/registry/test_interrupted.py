"""Wherever publishing breaks off, a tag names only what is signed; another try completes it."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from tests.unit.deploy.image.make import image, layer, write_layout
from tests.unit.deploy.registry.conftest import project_at
from tests.unit.deploy.registry.fake_registry import Asked, FakeRegistry, Mood, digest, running
from tests.unit.deploy.registry.test_publish import REPO, live, send, signatures

pytestmark = pytest.mark.loopback


def test_each_request_may_fail(tmp_path: Path) -> None:
    made = image([layer({"app": b"one"})])
    write_layout(made, tmp_path / "image")
    with running() as registry:
        send(project_at(tmp_path, registry, IMAGE_CACHE="first"))
        requests, expected = len(registry.asked), live(registry)

    for number in range(requests):
        with running() as registry:
            registry.moods.append(_failing(registry, number))
            project = project_at(tmp_path, registry, IMAGE_CACHE=f"cache{number}")
            with pytest.raises(DeployError, match="500"):
                send(project)
            _check_consistent(registry)
            registry.moods.clear()
            send(project)
            assert live(registry) == expected
            _check_consistent(registry)


def _failing(registry: FakeRegistry, number: int) -> Mood:
    def mood(asked: Asked) -> bool:
        if len(registry.asked) == number + 1:
            asked.answer(500, b"500")
            return True
        return False

    return mood


def _check_consistent(registry: FakeRegistry) -> None:
    """Whoever pulls the tag finds a signature, config and every layer."""
    if (REPO, "live") not in registry.manifests:
        return
    image = live(registry)
    manifest = registry.json(REPO, image)
    for one in (manifest["config"], *manifest["layers"]):
        assert digest(registry.blobs[REPO, one["digest"]]) == one["digest"]
    assert [one["critical"]["image"] for one in signatures(registry, image)] == [
        {"docker-manifest-digest": image}
    ]
