"""Turn settings into podman's words for a container that is hardened as a deploy hardens it."""

from collections.abc import Iterator, Sequence

from deploy.settings.model import Settings
from deploy.settings.types import ContainerPort
from deploy.spec.plan.addresses import app_uid

# Where try-image makes the folders that are mounted.
_HOME = "/var/lib/corefab/try"
_DATA = "data"


def wanted(settings: Settings) -> dict[str, Sequence[str]]:
    """Give podman's words, the container's command, and the folders to make."""
    return {
        "options": tuple(_options(settings)),
        "command": settings.container_command,
        "folders": (_DATA, *(_beside_data(one.name) for one in settings.volumes)),
    }


def _options(settings: Settings) -> Iterator[str]:
    if settings.container_user == "app":
        uid = app_uid(settings.app)
        yield f"--user={uid}:{uid}"
    yield f"--read-only={settings.read_only}"
    yield "--cap-drop=all"
    for capability in settings.container_capabilities:
        yield f"--cap-add={capability}"
    yield "--security-opt=no-new-privileges"
    # U: podman gives them to the container's user.
    yield f"--volume={_HOME}/{_DATA}:/data:U"
    for volume in settings.volumes:
        yield f"--volume={_HOME}/{_beside_data(volume.name)}:{volume.target}:U"
    for one in settings.container_tmpfs:
        yield f"--tmpfs={one.target}:rw,mode=1777,U{f',size={one.size}' if one.size else ''}"
    if settings.container_port.socket:
        yield f"--tmpfs={settings.container_port.folder}:rw,mode=1777,U"
    for name, value in _environment(settings).items():
        yield f"--env={name}={value}"


def _environment(settings: Settings) -> dict[str, str]:
    if settings.tls == "app":
        port = {"HTTPS_PORT": str(settings.container_https_port), "PUBLIC_HTTPS_PORT": "443"}
    else:
        port = _port(settings.container_port)
    return {
        "APP": settings.app,
        **port,
        "HEALTH_PATH": settings.health_path,
        **settings.environment,
    }


def _port(port: ContainerPort) -> dict[str, str]:
    return {"HTTP_SOCKET": port.socket} if port.socket else {"PORT": str(port.number)}


def _beside_data(name: str) -> str:
    return f"volume-{name}"
