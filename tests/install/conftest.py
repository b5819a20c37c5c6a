"""One machine, installed twice: what the tests of the chain share."""

import os
import secrets
from collections.abc import Iterator

import pytest

from deploy.machine.install.live_system import remember_medium
from deploy.machine.media.media import live_config
from deploy.project import Project
from deploy.settings.load import read_settings
from rehearsal import places
from rehearsal.metal import lifecycle as metal
from rehearsal.metal.lifecycle import Machine
from tests.images import remove_images
from tests.install.machine import KEYFILE, Installed, installer, with_file
from tests.system.project import make_project
from tests.system.rehearsal.nodes import require_nodes


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Switch on a machine with an empty disk, its medium in; and make a project for it."""
    require_nodes()
    name = f"metal{os.getpid()}"
    project = make_project(
        tmp_path_factory.mktemp("project"),
        name,
        IMAGE=f"localhost/corefab-test-{os.getpid()}:latest",
        CERT_PASSWORD=secrets.token_urlsafe(24),
        SMTP_PASSWORD=secrets.token_urlsafe(24),
        HEALTH_TIMEOUT_SECONDS="30",
        DATA_PARTITION="kept-data",
        ROOT_MEGABYTES="8192",
    )
    image = project.settings["IMAGE"]
    try:
        project.must("sample-build")
        project.must("cert-issue")
        project.must("prepare", "--yes")
        settings = read_settings(project.folder)
        there = Project(project.folder, settings)
        config, key = live_config(there)
        remember_medium(there, key.public)
        live = project.folder / "live.ign"
        live.touch(mode=0o600)
        live.write_bytes(with_file(config, *KEYFILE))
        made_of = Machine(name, project.folder, live, installer(), project.folder / "id")
        yield Installed(project, metal.up(made_of), places.folder(name).path)
    finally:
        project.node_down()
        remove_images(image)
