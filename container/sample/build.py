"""Build the sample app's image with podman; the same input gives the same image id."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from shutil import copyfile

from container.errors import ContainerError
from container.sample.rootfs import EPOCH, build_rootfs, cached_rootfs

_PACKAGE = Path(__file__).parents[1]  # the folder `container`
_INSIDE = (
    "__init__.py",
    "errors.py",
    "notify.py",
    "entrypoint",
    "sample/__init__.py",
    "sample/app",
)


def build(tag: str, *, version: str = "", on_step: Callable[[str], object] = str) -> str:
    """Build the image as `tag` and give back its id; `on_step` hears each step as a sentence.

    `version` names the image's version label; without one it is a hash of the app's files.
    Raises ContainerError.
    """
    rootfs = cached_rootfs()
    if rootfs is None:
        on_step("building the sample's root file system from Debian packages")
        rootfs = build_rootfs()
    on_step(f"building the image {tag}")
    with tempfile.TemporaryDirectory(dir=rootfs.parent, prefix="context-") as folder:
        context = Path(folder)
        _lay_out(context, rootfs)
        return _podman_build(tag, version or app_version(), context)


def app_version() -> str:
    """Name the state of the app's own files, so that a changed file is a new version."""
    digest = sha256()
    for path in _inside():
        digest.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return f"0.1.0+{digest.hexdigest()[:8]}"


def _inside() -> Iterator[Path]:
    for name in _INSIDE:
        path = _PACKAGE / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else (path,)


def _lay_out(context: Path, rootfs: Path) -> None:
    copyfile(Path(__file__).with_name("Containerfile"), context / "Containerfile")
    (context / "rootfs.tar").hardlink_to(rootfs)
    for path in _inside():
        target = context / "app" / "container" / path.relative_to(_PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, target)
        target.chmod(0o644)


def _podman_build(tag: str, version: str, context: Path) -> str:
    # No cache of layers: podman 4.3 takes one although the value of an ARG in it has changed.
    argv = (
        "podman", "build", "--quiet", "--layers=false", f"--timestamp={EPOCH}", "--format=oci",
        f"--build-arg=VERSION={version}", f"--tag={tag}", str(context),
    )  # fmt: skip
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ContainerError(
            "podman is not installed", "apt-get install podman", code=os.EX_UNAVAILABLE
        ) from error
    if done.returncode:
        raise ContainerError(f"podman could not build {tag}: {done.stderr.strip()[-500:]}")
    return done.stdout.split()[-1]
