"""A registry, a project that publishes to it, and a clock for what waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.registry import transport
from tests.clock import Clock
from tests.unit.deploy.examples import settings
from tests.unit.deploy.image.make import Made, image, layer, noise, write_layout
from tests.unit.deploy.registry.fake_registry import LOGIN, FakeRegistry, running


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(transport, "time", made)
    return made


@pytest.fixture
def made() -> Made:
    return image([layer({"base": noise(50_000)}), layer({"app": b"one" * 1000})])


@pytest.fixture
def project(tmp_path: Path, registry: FakeRegistry, made: Made) -> Project:
    write_layout(made, tmp_path / "image")
    return project_at(tmp_path, registry)


def project_at(folder: Path, registry: FakeRegistry, **values: object) -> Project:
    usual = {
        "IMAGE": "oci:image",
        "IMAGE_CACHE": "cache",
        "PULL": f"{registry.address}/shop/www:live",
        "PULL_HTTP": "true",
        "PUBLISH_LOGIN": LOGIN,
    }
    return Project(folder, settings(**usual | values))
