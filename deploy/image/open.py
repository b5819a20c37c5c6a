"""Resolve IMAGE to a local image."""

import contextlib
import os
from pathlib import Path

from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.store.archive import Archive
from deploy.image.store.engines import Docker, Podman
from deploy.image.store.source import Source
from deploy.project import Project

# Kinds of images in a file or a folder.
_FILES = {"oci", "oci-archive", "docker-archive"}
# Where skopeo reads images from and this does not, with what to do instead.
_OTHERS = {
    "docker": "`podman pull NAME`, and IMAGE=NAME",
    "dir": "convert it: `skopeo copy dir:NAME oci:FOLDER`, and IMAGE=oci:FOLDER",
    "sif": "convert it: `skopeo copy sif:NAME oci:FOLDER`, and IMAGE=oci:FOLDER",
}


def source_of(name: str, folder: Path) -> Source:
    """Choose the source for an image name; relative paths start at the project's folder.

    A plain name is in podman's storage. `docker-daemon:NAME`, and `oci:`, `oci-archive:` or
    `docker-archive:` with `PATH[:NAME]` or `PATH:@NUMBER` are skopeo's notation.

    Raises:
        DeployError: for what skopeo reads and this does not.
    """
    kind, _, rest = name.partition(":")
    if kind == "docker-daemon":
        return Docker(rest)
    if kind in _FILES:
        # A path of which a part looks like a name is a path all the same.
        whole = folder / Path(rest).expanduser()
        place, _, ref = rest.partition(":")
        if whole.exists():
            return Archive(name, whole)
        return Archive(name, folder / Path(place).expanduser(), ref)
    if hint := _OTHERS.get(kind):
        raise DeployError(
            f"IMAGE is {name}: corefab sends an image that is on this machine",
            hint.replace("NAME", rest.removeprefix("//")),
        )
    return Podman(rest if kind == "containers-storage" else name)


def cache_of(project: Project) -> Cache:
    """Open the layer cache that the settings name.

    Raises:
        DeployError: when IMAGE_CACHE is no folder that can be written to.
    """
    folder = project.image_cache
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DeployError(f"{folder} cannot be written", "free its disk, or change IMAGE_CACHE")
    return Cache(folder, project.settings.image_cache_megabytes * 1_000_000)


def open_image(project: Project, *, nodes: int = 1, platform: str = "") -> Export:
    """Look up IMAGE, for `platform` where there are several.

    Use the result in a `with` block, which starts and ends the reading.

    Raises:
        DeployError: when the image or the program that stores it is missing.
    """
    source = source_of(project.settings.image, project.folder)
    return Export(source, cache_of(project), nodes=nodes, platform=platform)


def at_absolute_path(name: str, folder: Path) -> str:
    """Write an image name so that it means the same in any folder."""
    kind, colon, rest = name.partition(":")
    if kind not in _FILES or not colon:
        return name
    return f"{kind}:{folder / Path(rest).expanduser()}"
