"""Read images from podman's storage and from the Docker daemon, with their programs."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, hex_of, history_lines, platform_of, read, run_of
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.store.archive import Archive
from deploy.workstation.programs import ProgramError, run

_ASK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Podman:
    """An image in podman's storage, by name."""

    name: str

    def image(self, platform: str = "") -> Image:
        """Look up the image; in a manifest list, the one for the platform."""
        hint = (
            "build it, or `podman pull` it (`fab sample-build` builds the sample), or change IMAGE"
        )
        own = _instances(self.name) if platform else {}
        try:
            found = _inspected("podman", own.get(platform, self.name), hint)
        except ProgramError:
            # Podman looks for this machine's platform in a manifest list, which may be without it.
            # Without a list: another program may have changed the storage meanwhile, look again.
            own = own or _instances(self.name)
            found = _inspected("podman", next(iter(own.values()), self.name), hint)
        layers = tuple(found["RootFS"]["Layers"])
        return Image(
            self.name,
            f"sha256:{found['Id']}",
            found["Size"],
            layers,
            history_lines(found.get("History"), len(layers)),
            folders=_folders(found),
            platforms=tuple(dict.fromkeys((platform_of(found), *own))),
            run=run_of(found.get("Config")),
        )

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        known = cache.content(image.id)
        lacking = {diff_id for diff_id in wanted if not cache.has(diff_id)}
        if known and not lacking:
            return known
        with cache.temporary_folder() as place:
            content = _save(image, place, lacking)
            for diff_id in lacking:
                cache.add_layer(diff_id, place / "blobs/sha256" / hex_of(diff_id))
        if content.id != image.id:
            # The image has Docker's format: in an OCI layout its config is another one.
            saving = ("podman", "save", "-q", "--format", "docker-archive")
            return _export_archive(saving, image, cache, lacking)
        if not known:
            cache.add_image(content)
        return content

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        return SaveCommand(("podman", "save", "--quiet", self.image().id), "docker-archive")


@dataclass(frozen=True, slots=True)
class Docker:
    """An image in Docker's storage; its id is the digest of its config, as in podman."""

    name: str

    def image(self, platform: str = "") -> Image:  # noqa: ARG002 -- the daemon chooses
        """Look up the image."""
        hint = "start the Docker daemon, and look for the image with `docker image ls`"
        found = _inspected("docker", self.name, hint)
        if _is_in_containerd(found):
            raise DeployError(
                f"Docker has {self.name} in its containerd image store, which names images "
                "differently",
                f"`docker save {self.name} -o image.tar`, and IMAGE=docker-archive:image.tar",
            )
        layers, run = tuple(found["RootFS"]["Layers"]), run_of(found.get("Config"))
        platforms = (platform_of(found),)
        return Image(self.name, found["Id"], found["Size"], layers, platforms=platforms, run=run)

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        known = cache.content(image.id)
        if known and all(map(cache.has, wanted)):
            return known
        return _export_archive(("docker", "save"), image, cache, wanted)

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        return SaveCommand(("docker", "save", self.image().id), "docker-archive")


def _inspected(program: str, name: str, hint: str) -> Any:
    words = (program, "image", "inspect", name)
    return json.loads(run(words, doing=f"reading image {name}", hint=hint, seconds=_ASK_SECONDS))[0]


def _is_in_containerd(found: dict[str, Any]) -> bool:
    """Whether Docker keeps an image in its containerd image store.

    Docker 27 and newer add a descriptor there; older ones show it by the snapshotter's name alone,
    where a driver of Docker's own is called `overlay2`.
    """
    driver = found.get("GraphDriver") or {}
    return bool(found.get("Descriptor")) or driver.get("Name") == "overlayfs"


def _instances(name: str) -> dict[str, str]:
    """List the image for each platform in a manifest list; empty for a plain image."""
    words = ("podman", "manifest", "inspect", f"containers-storage:{name}")
    try:
        found = json.loads(run(words, seconds=_ASK_SECONDS))
    except ProgramError:
        return {}
    head, _, tag = name.rpartition(":")
    repository = name if not head or "/" in tag else head
    return {
        platform_of(one["platform"]): f"{repository}@{one['digest']}"
        for one in found.get("manifests", ())
    }


def _export_archive(
    saving: tuple[str, ...], image: Image, cache: Cache, wanted: Collection[str]
) -> Content:
    """Export layers through the archive that a program writes of the whole image."""
    with cache.temporary_folder() as place:
        file = place / "image.tar"
        run((*saving, "-o", str(file), image.id))
        return Archive(image.name, file).export(image, cache, wanted)


def _folders(found: dict[str, Any]) -> tuple[str, ...]:
    """List the folders of an image's layers, lowest first; empty unless the driver is overlay."""
    driver = found.get("GraphDriver") or {}
    data = driver.get("Data") or {}
    if driver.get("Name") != "overlay" or "UpperDir" not in data:
        return ()
    lower = data["LowerDir"].split(":") if data.get("LowerDir") else []
    return (*reversed(lower), data["UpperDir"])


def _save(image: Image, place: Path, wanted: Collection[str]) -> Content:
    """Write an OCI layout with these layers: podman skips a layer whose file exists, even empty."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    for diff_id in image.layers:
        if diff_id not in wanted:
            (blobs / hex_of(diff_id)).touch()
    # By id: a build that runs meanwhile may move the name.
    saving = ("podman", "save", "-q", "--format", "oci-dir", "--uncompressed")
    run((*saving, "-o", str(place), image.id))
    index = json.loads((place / "index.json").read_bytes())
    manifest = (blobs / hex_of(index["manifests"][0]["digest"])).read_bytes()
    config = (blobs / hex_of(json.loads(manifest)["config"]["digest"])).read_bytes()
    return read(manifest, config)
