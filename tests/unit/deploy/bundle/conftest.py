"""A registry, and a project whose node takes bundles from it."""

from pathlib import Path

import pytest

from deploy.project import Project
from deploy.registry.keys import publish_key
from tests.unit.deploy.machine.drift.node import KEY
from tests.unit.deploy.registry.conftest import clock, project_at, registry
from tests.unit.deploy.registry.fake_registry import FakeRegistry

__all__ = ["clock", "registry"]


@pytest.fixture
def project(tmp_path: Path, registry: FakeRegistry) -> Project:
    return project_of(tmp_path, registry)


def project_of(
    folder: Path, registry: FakeRegistry, *, node: str = "shop1", **more: object
) -> Project:
    (folder / "id.pub").write_text(f"{KEY}\n")
    values: dict[str, object] = {
        "TLS": "none",
        "HTTP_PORT": "80",
        "SSH_KEYS": "id.pub",
        "PROJECT_FILES": "www",
    }
    made = project_at(folder, registry, **values | more | ({"PULL_NODE": node} if node else {}))
    publish_key(made, following=False, finish=False)
    return made
