"""Find the images that an OCI layout or an archive lists, by name and platform."""

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias

from deploy.errors import DeployError
from deploy.image.layers.oci import hex_of, platform_of

# What an attestation in an index is for.
_NO_PLATFORM = "unknown/unknown"
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_REF = "org.opencontainers.image.ref.name"
_CONTAINERD = "io.containerd.image.name"
_FORMATS = "give an OCI layout, or an archive of `podman save` or `docker save`"

# Open a file of an archive or a layout by its name.
Open: TypeAlias = Callable[[str], IO[bytes]]


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image in an archive: its manifest and config, and the files of its layers."""

    manifest: Mapping[str, Any]
    config: bytes = field(repr=False)
    layers: tuple[str, ...]

    @property
    def platform(self) -> str:
        """The platform that it is for."""
        return platform_of(json.loads(self.config))

    def obstacle(self, number: int) -> str:
        """Describe why the layer of this number cannot be in an archive; empty for most."""
        kinds = [str(one.get("mediaType", "")) for one in self.manifest.get("layers", [])]
        kind = kinds[number] if number < len(kinds) else ""
        if "foreign" in kind or "nondistributable" in kind:
            return "is a foreign layer: its vendor lets it be downloaded from there only"
        return "is encrypted" if kind.endswith("+encrypted") else ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of an archive's list: its names, and an image for each of its platforms.

    `ref` selects it in skopeo's notation; `form` is the archive's format as skopeo names it.
    """

    images: tuple[ListedImage, ...]
    names: tuple[str, ...]
    number: int
    ref: str
    is_oci: bool

    @property
    def shown(self) -> str:
        """Its first name, or its number, as IMAGE may have it; with the platforms."""
        platforms = ", ".join(one.platform for one in self.images)
        return f"{next(iter(self.names), f'@{self.number}')} ({platforms})"

    def matches(self, ref: str) -> bool:
        """Return whether this is what a name, or `@` and a number, selects."""
        if ref in {"", f"@{self.number}", *self.names}:
            return True
        return _full_name(ref) in map(_full_name, self.names)


def select(open_file: Open, ref: str) -> tuple[Listed, ...]:
    """Select entries by a name or by `@` and a number; more than one only for several platforms.

    Raises:
        DeployError: when no entry or several match, naming those that there are.
    """
    try:
        index = _json(open_file, "index.json")
    except _NoFileError:
        entries = _of_docker(open_file)
    else:
        entries = _of_oci(open_file, index)
    if not entries:
        raise DeployError("it lists no image, only attestations or other data", _FORMATS)
    chosen = tuple(one for one in entries if one.matches(ref))
    platforms = [image.platform for one in chosen for image in one.images]
    if not chosen or (len(chosen) > 1 and len(set(platforms)) < len(platforms)):
        shown = ", ".join(one.shown for one in entries)
        found = f"several images in it match {ref}" if ref else "it has several images"
        found = found if chosen else f"no image in it matches {ref}"
        raise DeployError(
            f"{found}: {shown}",
            "write the name or the number of one behind the path in IMAGE, such as "
            "`docker-archive:FILE:NAME` or `oci:FOLDER:@0`",
        )
    return chosen


class _NoFileError(FileNotFoundError):
    """An archive or a layout has no file of this name."""


def _of_oci(open_file: Open, index: Any) -> list[Listed]:
    entries, lacking = [], None
    for number, one in enumerate(index["manifests"]):
        try:
            images = tuple(_images(open_file, one))
        except _NoFileError as error:
            lacking = lacking or error
            continue
        notes = one.get("annotations") or {}
        names = tuple(str(notes[key]) for key in (_CONTAINERD, _REF) if notes.get(key))
        ref = str(notes.get(_REF) or (f"@{number}" if len(index["manifests"]) > 1 else ""))
        if images:
            entries.append(Listed(images, names, number, ref, is_oci=True))
    if lacking and not entries:
        raise lacking
    return entries


def _of_docker(open_file: Open) -> list[Listed]:
    try:
        listed = _json(open_file, "manifest.json")
    except _NoFileError:
        raise DeployError("it has neither index.json nor manifest.json", _FORMATS) from None
    if not isinstance(listed, list):
        raise DeployError(
            "it has the format that skopeo calls dir", "convert it: `skopeo copy dir:… oci:…`"
        )
    entries = []
    for number, one in enumerate(listed):
        with _open(open_file, one["Config"]) as stream:
            layers = tuple(map(posixpath.normpath, one["Layers"]))
            sources = one.get("LayerSources") or {}
            manifest = {"config": {"mediaType": _CONFIGS[1]}, "layers": list(sources.values())}
            image = ListedImage(manifest, stream.read(), layers)
        names = tuple(one.get("RepoTags") or ())
        entries.append(Listed((image,), names, number, f"@{number}", is_oci=False))
    return entries


def _images(open_file: Open, named: Any) -> Iterator[ListedImage]:
    """Read an image, or those of an index: the first for each platform, without attestations.

    `docker save` writes the whole index and the images of some of its platforms.
    """
    manifest = _json(open_file, _blob(named["digest"]))
    if "manifests" in manifest:
        yield from _first_of_each_platform(open_file, manifest["manifests"])
        return
    if _platform(named) == _NO_PLATFORM or "layers" not in manifest:
        return
    if manifest["config"].get("mediaType", _CONFIGS[0]) not in _CONFIGS:
        return
    with _open(open_file, _blob(manifest["config"]["digest"])) as stream:
        image = ListedImage(
            manifest, stream.read(), tuple(_blob(one["digest"]) for one in manifest["layers"])
        )
    if image.platform != _NO_PLATFORM:
        yield image


def _first_of_each_platform(open_file: Open, listed: Sequence[Any]) -> Iterator[ListedImage]:
    found: dict[str, ListedImage] = {}
    lacking = None
    for one in listed:
        try:
            for image in _images(open_file, one):
                found.setdefault(image.platform, image)
        except _NoFileError as error:
            lacking = lacking or error
    if lacking and not found:
        raise lacking
    yield from found.values()


def _platform(named: Any) -> str:
    return platform_of(named.get("platform") or {})


def _full_name(name: str) -> str:
    """Add what podman and Docker leave out of a name: the registry and the tag."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif first != "localhost" and not set(first) & set(".:"):
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _blob(diff_id: str) -> str:
    return f"blobs/sha256/{hex_of(diff_id)}"


def _json(open_file: Open, name: str) -> Any:
    with _open(open_file, name) as stream:
        return json.load(stream)


def _open(open_file: Open, name: str) -> IO[bytes]:
    try:
        return open_file(name)
    except (FileNotFoundError, KeyError) as error:
        raise _NoFileError(f"it has no {name}") from error
