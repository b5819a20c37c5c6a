"""The root file system of an image: a tar file of Debian packages, kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from container.errors import ContainerError
from container.image import EPOCH, cache, run_program

# Files of mmdebstrap to leave out: apt's state, device nodes, and files of this workstation.
DROPPED = (
    "dev", "proc", "sys", "run", "tmp", "var", "data", "srv", "etc/apt", "etc/dpkg",
    "etc/debconf.conf", "etc/fstab", "etc/hostname", "etc/resolv.conf",
)  # fmt: skip
# Mount points: the container's root file system is read-only, so they are there beforehand.
# A tmpfs takes over the mode of the folder that it covers, and the user is not known here: 1777.
FOLDERS = (
    ("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("run", 0o755), ("run/secrets", 0o755),
    ("run/tls", 0o1777), ("etc/tls", 0o755), ("srv", 0o755), ("srv/files", 0o755),
    ("data", 0o755), ("tmp", 0o1777), ("var", 0o755), ("var/tmp", 0o1777),
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What a root file system is made of: the packages, and the script that trims their tree.

    The script gets the tree and `words` as its arguments. `folders` come on top of those of every
    image.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    trim: Path
    words: tuple[str, ...] = ()
    folders: tuple[tuple[str, int], ...] = ()


def cached_rootfs(recipe: Recipe) -> Path | None:
    """Find the tar file of a recipe; None when it was not built yet."""
    path = _cache_path(recipe)
    return path if path.exists() else None


def build_rootfs(recipe: Recipe) -> Path:
    """Build the tar file in some seconds and put it into the cache in one step."""
    path = _cache_path(recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="rootfs-") as folder:
        raw, clean = Path(folder, "raw.tar"), Path(folder, "clean.tar")
        _bootstrap(recipe, raw)
        _repack(raw, clean, (*FOLDERS, *recipe.folders))
        clean.replace(path)
    return path


def _cache_path(recipe: Recipe) -> Path:
    # The script by its text, not by its place: every checkout shares one cache.
    argv = _argv(recipe, Path("out"), Path(recipe.trim.name))
    inputs = repr((EPOCH, DROPPED, FOLDERS, recipe.folders, argv, recipe.trim.read_text()))
    digest = hashlib.sha256(inputs.encode()).hexdigest()[:16]
    return cache() / f"{recipe.name}-rootfs-{digest}.tar"


def _argv(recipe: Recipe, out: Path, trim: Path) -> tuple[str, ...]:
    words = shlex.join(recipe.words)
    return (
        "mmdebstrap", "--quiet", "--variant=extract", "--components=main",
        f"--include={','.join(recipe.packages)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        # The index of a suite in development is valid for a week, which a mirror may exceed.
        *(("--aptopt=Acquire::Check-Valid-Until false",) if recipe.suite == "forky" else ()),
        f'--extract-hook={shlex.quote(str(trim))} "$1" {words}'.rstrip(), recipe.suite, str(out),
    )  # fmt: skip


def _bootstrap(recipe: Recipe, out: Path) -> None:
    if os.geteuid() and not shutil.which("newuidmap"):
        raise ContainerError(
            f"the root file system of {recipe.name} needs newuidmap, unless root builds it",
            "apt-get install uidmap",
            code=os.EX_UNAVAILABLE,
        )
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}
    failure = f"the root file system of {recipe.name} could not be built"
    run_program(_argv(recipe, out, recipe.trim), failure, environment)


def _repack(raw: Path, clean: Path, folders: Iterable[tuple[str, int]]) -> None:
    """Drop the workstation's files, add mount points, normalize owners and times."""
    with tarfile.open(raw) as source, tarfile.open(clean, "w", format=tarfile.PAX_FORMAT) as target:
        for member in source:
            name = member.name.lstrip("./")
            if name and not _is_dropped(name):
                target.addfile(_levelled(member, name), _content(source, member))
        for name, mode in folders:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            target.addfile(_levelled(folder, name))


def _is_dropped(name: str) -> bool:
    return any(name == dropped or name.startswith(f"{dropped}/") for dropped in DROPPED)


def _levelled(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    member.name = name
    member.mtime = min(int(member.mtime), EPOCH) or EPOCH
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.pax_headers = {}
    return member


def _content(source: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    return source.extractfile(member) if member.isreg() else None
