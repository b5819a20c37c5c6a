"""Images made byte by byte: layers with whatever a tar can hold, in each kind of archive."""

import gzip
import hashlib
import io
import json
import os
import random
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: Mapping[str, bytes], *more: tarfile.TarInfo, mtime: float = 1e9) -> bytes:
    """Pack a layer of plain files, and of entries without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), mtime, 0o644
            tar.addfile(entry, io.BytesIO(content))
        for entry in more:
            tar.addfile(entry)
    return packed.getvalue()


def entry(name: str, kind: bytes, link: str = "", mode: int = 0o755) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.mtime = kind, link, mode, 1e9 + 0.123456789
    return made


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311 -- no secret


@dataclass(frozen=True)
class Made:
    """An image: its config and the tars of its layers."""

    config: bytes
    layers: tuple[bytes, ...]

    @property
    def id(self) -> str:
        return digest(self.config)

    @property
    def diff_ids(self) -> list[str]:
        return [digest(one) for one in self.layers]


def image(
    layers: Sequence[bytes],
    *,
    lines: bool = True,
    label: str = "",
    architecture: str = "amd64",
    start: Mapping[str, object] | None = None,
) -> Made:
    """Make the config of an image of some layers; `start` as Cmd, Entrypoint or User."""
    config: dict[str, object] = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/true"], "Labels": {"made": label}} | dict(start or {}),
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
    }
    if lines:
        config["history"] = [{"created_by": f"line {number}"} for number in range(len(layers))]
    return Made(json.dumps(config).encode(), tuple(layers))


def write_layout(made: Made, folder: Path, *, packed: str = "", ref: str = "") -> Path:
    """Write an OCI layout, with layers as they are or packed by gzip or zstd."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    shown = []
    for tar in made.layers:
        blob = _PACK[packed](tar)
        kind = "application/vnd.oci.image.layer.v1.tar" + (f"+{packed}" if packed else "")
        shown.append({"mediaType": kind, "digest": _put(blobs, blob), "size": len(blob)})
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": _put(blobs, made.config),
                "size": len(made.config),
            },
            "layers": shown,
        }
    ).encode()
    index = folder / "index.json"
    found = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    named = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": _put(blobs, manifest),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": ref} if ref else {},
    }
    if named not in found:
        index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*found, named]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def join_platforms(folder: Path, *, ref: str = "") -> None:
    """Replace what an OCI layout lists by an index of all of it, with an attestation."""
    blobs, index = folder / "blobs/sha256", folder / "index.json"
    listed = json.loads(index.read_bytes())["manifests"]
    for one in listed:
        manifest = json.loads((blobs / one["digest"][7:]).read_bytes())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
        one["platform"] = {"os": config["os"], "architecture": config["architecture"]}
    attestation = {"os": "unknown", "architecture": "unknown"}
    listed.append({"digest": _put(blobs, b"{}"), "platform": attestation})
    nested = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    named: dict[str, object] = {"digest": _put(blobs, nested), "size": len(nested)}
    if ref:
        named["annotations"] = {"org.opencontainers.image.ref.name": ref}
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))


def _zstd(data: bytes) -> bytes:
    """Pack data as podman's zstd:chunked does: in several frames, one of them to be skipped."""
    half = len(data) // 2
    packed = [zstandard.ZstdCompressor().compress(part) for part in (data[:half], data[half:])]
    return b"\x50\x2a\x4d\x18\x04\0\0\0skip".join(packed)


_PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "zstd": _zstd}


def write_archive(folder: Path, file: Path) -> Path:
    """Pack an OCI layout into one file."""
    with tarfile.open(file, "w") as tar:
        tar.add(folder, ".")
    return file


def write_docker(made: Made, file: Path, *, linked: bool = True) -> Path:
    """Write what `docker save` writes, `linked` with one layer behind a symbolic link."""
    return write_docker_images({("made:1",): made}, file, linked=linked)


def write_docker_images(
    images: Mapping[tuple[str, ...], Made], file: Path, *, linked: bool = False
) -> Path:
    """Write what `docker save` writes of several images, given by their names."""
    shown = [
        {
            "Config": f"{made.id[7:]}.json",
            "RepoTags": list(tags) or None,
            "Layers": [f"{one[7:]}/layer.tar" for one in made.diff_ids],
        }
        for tags, made in images.items()
    ]
    with tarfile.open(file, "w") as tar:
        for made in images.values():
            _add_image(tar, made, linked=linked)
        _add(tar, "manifest.json", json.dumps(shown).encode())
    return file


def _add_image(tar: tarfile.TarFile, made: Made, *, linked: bool) -> None:
    _add(tar, f"{made.id[7:]}.json", made.config)
    for number, (diff_id, content) in enumerate(zip(made.diff_ids, made.layers, strict=True)):
        name = f"{diff_id[7:]}/layer.tar"
        if number or not linked:
            _add(tar, name, content)
            continue
        _add(tar, f"{name[:8]}.tar", content)
        tar.addfile(entry(name, tarfile.SYMTYPE, f"../{name[:8]}.tar"))


def sparse(file: Path, size: int) -> None:
    """Write a layer that has one file of zeros, without writing the zeros."""
    made = tarfile.TarInfo("srv/zeros")
    made.size, made.mtime = size, 1e9
    with file.open("wb") as out:
        out.write(made.tobuf())
        rounded = -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        os.truncate(file, tarfile.BLOCKSIZE + rounded + 2 * tarfile.BLOCKSIZE)


def _put(blobs: Path, data: bytes) -> str:
    found = digest(data)
    (blobs / found[7:]).write_bytes(data)
    return found


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    made = tarfile.TarInfo(name)
    made.size = len(data)
    tar.addfile(made, io.BytesIO(data))
