"""Finding an image by what IMAGE says."""

from pathlib import Path

from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.store.archive import Archive
from deploy.image.store.docker import Docker
from deploy.image.store.podman import Podman
from deploy.image.store.source import Source
from deploy.project import Project

_ARCHIVES = ("oci-archive", "docker-archive")


def source_of(name: str, folder: Path) -> Source:
    """Tell where an image comes from; paths are seen from the project's folder.

    A name alone is one in podman's storage. `docker-daemon:NAME`, `oci:FOLDER[:TAG]`,
    `oci-archive:FILE` and `docker-archive:FILE` are written as skopeo writes them.
    """
    kind, _, rest = name.partition(":")
    if kind == "docker-daemon":
        return Docker(rest)
    if kind in _ARCHIVES:
        return Archive(name, folder / rest)
    if kind == "oci":
        place, _, tag = rest.partition(":")
        return Archive(name, folder / place, tag)
    return Podman(name)


def cache_of(project: Project) -> Cache:
    """Give the user's cache of layers."""
    return Cache(project.image_cache, project.settings.image_cache_megabytes * 1_000_000)


def open_image(project: Project, *, nodes: int = 1) -> Export:
    """Look up the image that IMAGE names, to be read as long as a block lasts, for some nodes.

    Raises:
        DeployError: when the program that keeps it is missing, or the image is.
    """
    return Export(source_of(project.settings.image, project.folder), cache_of(project), nodes=nodes)
