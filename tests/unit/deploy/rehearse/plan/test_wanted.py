"""A tried container is hardened as a deployed one is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.rehearse.plan.wanted import wanted
from deploy.settings.model import Settings
from deploy.spec.render import app_files, render
from tests.unit.deploy.examples import settings

GIVEN: dict[str, object] = {
    "TLS": "none",
    "HTTP_PORT": "80",
    "VOLUMES": "up:/app/up",
    "CONTAINER_TMPFS": "/run:8m, /cache",
    "CONTAINER_CAPABILITIES": "CHOWN, NET_BIND_SERVICE",
    "READ_ONLY": "false",
    "HEALTH_PATH": "/up",
    "ENV_*": {"COLOUR": "blue"},
}
# Folders of a deployed container that hold nothing in a try.
EMPTY = {"/run/secrets", "/srv/files", "/etc/tls"}
# What decides how a container is run, and not what it may do.
OTHERS = {"ContainerName", "Image", "Pull", "Network", "Notify", "StopTimeout", "Group"}


def unit(folder: Path, chosen: Settings) -> Iterator[tuple[str, str]]:
    """Yield the keys of the unit's container, as a deploy installs it."""
    files = app_files(render(Project(folder, chosen)))
    text = next(one.content for one in files if one.path.endswith("blue.container")).decode()
    lines = text.partition("[Container]\n")[2].partition("\n[")[0].splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield key, value


def as_words(key: str, value: str) -> str:
    """Translate a key as podman's generator does."""
    match key:
        case "User":
            return f"--user={value}:{value}"
        case "ReadOnly" | "Tmpfs" | "Environment":
            name = {"ReadOnly": "read-only", "Tmpfs": "tmpfs", "Environment": "env"}[key]
            bare = value.strip('"')
            return f"--{name}={bare}"
        case "DropCapability" | "AddCapability":
            return f"--cap-{key.removesuffix('Capability').lower()}={value}"
        case "NoNewPrivileges":
            return "--security-opt=no-new-privileges"
        case "Volume":
            return f"--volume={value.split(':')[1]}"
    raise AssertionError(f"{key} is new: does a try need it?")


@pytest.mark.parametrize(
    "changes",
    [{}, {"READ_ONLY": "true"}, {"CONTAINER_USER": "image"}, {"TLS": "app", "HTTP_PORT": "0"}],
)
def test_podman_gets_what_the_unit_of_a_deploy_has(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    chosen = settings(**GIVEN | changes)

    options = wanted(chosen)["options"]

    deployed = {
        as_words(key, value)
        for key, value in unit(tmp_path, chosen)
        if key not in OTHERS and not EMPTY & set(value.split(":"))
    }
    tried = {f"--volume={one.split(':')[1]}" if "--volume" in one else one for one in options}
    assert tried == deployed - {one for one in deployed if one.startswith("--tmpfs=/run/tls")}
    assert tried >= {"--cap-drop=all", "--security-opt=no-new-privileges", "--volume=/data"}


def test_the_command_replaces_the_images() -> None:
    assert wanted(settings(CONTAINER_COMMAND="serve 'a b'"))["command"] == ("serve", "a b")


def test_every_mounted_folder_is_made() -> None:
    made = wanted(settings(VOLUMES="data:/app/data, up:/app/up"))

    sources = {one.split(":")[0] for one in made["options"] if one.startswith("--volume=")}
    assert {one.rpartition("/")[2] for one in sources} == set(made["folders"])
    assert len(made["folders"]) == 3
