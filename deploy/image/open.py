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


def source_of(name: str, folder: Path) -> Source:
    """Choose the source for an image name; relative paths start at the project's folder.

    A plain name is in podman's storage. `docker-daemon:NAME`, `oci:FOLDER[:TAG]`,
    `oci-archive:FILE` and `docker-archive:FILE` are skopeo's notation.
    """
    kind, _, rest = name.partition(":")
    if kind == "docker-daemon":
        return Docker(rest)
    if kind in {"oci-archive", "docker-archive"}:
        return Archive(name, folder / rest)
    if kind == "oci":
        place, _, tag = rest.partition(":")
        return Archive(name, folder / place, tag)
    return Podman(name)


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


def open_image(project: Project, *, nodes: int = 1) -> Export:
    """Look up IMAGE; use the result in a `with` block, which starts and ends the reading.

    Raises:
        DeployError: when the image or the program that stores it is missing.
    """
    return Export(source_of(project.settings.image, project.folder), cache_of(project), nodes=nodes)
