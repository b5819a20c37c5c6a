"""Finding an image by what IMAGE says."""

import contextlib
from dataclasses import replace
from pathlib import Path

from deploy.errors import DeployError
from deploy.image.archive import Archive
from deploy.image.cache import Cache
from deploy.image.docker import Docker
from deploy.image.podman import Podman
from deploy.image.source import Source
from deploy.plan.image import Image
from deploy.settings.model import Settings

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


def cache_of(settings: Settings) -> Cache:
    """Give the user's cache of layers."""
    return Cache(settings.image_cache.expanduser(), settings.image_cache_megabytes * 1_000_000)


def find_image(folder: Path, settings: Settings) -> Image:
    """Look up the image that IMAGE names, with the bytes of the layers that are known.

    Where some of its layers were read before, the new ones are read at once: they are few, and
    most probably the ones to send.

    Raises:
        DeployError: when the program that keeps it is missing, or the image is.
    """
    source, cache = source_of(settings.image, folder), cache_of(settings)
    image = replace(source.image(), delta=settings.image_mode == "delta")
    known = cache.content(image.id)
    if not known and any(cache.holds(one) for one in image.layers):
        # What goes wrong here is met again, and told, when the image is sent.
        with contextlib.suppress(DeployError):
            known = source.export(image, cache, image.layers)
    if known:
        return replace(image, sizes={layer.diff_id: layer.size for layer in known.layers})
    return replace(image, sizes={one: layer.size for one, layer in cache.known().items()})
