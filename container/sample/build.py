"""Build the sample app's image with podman; the same input gives the same image id."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copyfile

from container.image import alone, podman_build
from container.pack import pack, sources
from container.rootfs import Recipe, build_rootfs, cached_rootfs

PACKAGES = Recipe(
    name="sample",
    suite="trixie",
    packages=("python3.13-minimal", "libpython3.13-stdlib"),
    trim=Path(__file__).with_name("trim.sh"),
)
_PACKAGE = Path(__file__).parents[1]  # the folder `container`
_MODULES = (
    "__init__.py", "errors.py", "heartbeat.py", "notify.py", "entrypoint", "sample/__init__.py",
    "sample/app",
)  # fmt: skip


def build(tag: str, *, version: str = "", on_step: Callable[[str], object] = str) -> str:
    """Build the image as `tag` and return its id; `on_step` receives each step as a sentence.

    `version` names the image's version label; without one it is the one of `lay_out_app`.
    Raises ContainerError.
    """
    with alone():
        rootfs = cached_rootfs(PACKAGES)
        if rootfs is None:
            on_step("building the sample's root file system from Debian packages")
            rootfs = build_rootfs(PACKAGES)
        on_step(f"building the image {tag}")
        with tempfile.TemporaryDirectory(dir=rootfs.parent, prefix="context-") as folder:
            context = Path(folder)
            copyfile(Path(__file__).with_name("Containerfile"), context / "Containerfile")
            (context / "rootfs.tar").hardlink_to(rootfs)
            found = lay_out_app(context / "app")
            return podman_build(tag, context, f"--build-arg=VERSION={version or found}")


def lay_out_app(folder: Path) -> str:
    """Copy what the image's second layer holds, and name its state: a changed file, a new name."""
    for path in sources(_MODULES):
        target = folder / "container" / path.relative_to(_PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, target)
    copyfile(_PACKAGE / "sample" / "workers.toml", folder / "workers.toml")
    pack(folder / "supervise.pyz")
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        # Readable for the image's user, whatever the umask here.
        path.chmod(0o755 if path.is_dir() else 0o644)
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    folder.chmod(0o755)
    return f"0.1.0+{digest.hexdigest()[:8]}"
