"""The sample's root file system: a tar file made of Debian packages, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from container.errors import ContainerError

SUITE = "trixie"
PACKAGES = ("python3.13-minimal", "libpython3.13-stdlib")
EPOCH = 1735689600  # 2025-01-01; nothing in the image is newer, so equal input gives equal bytes
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
_HOOK = Path(__file__).with_name("trim.sh")


def cached_rootfs() -> Path | None:
    """Find the tar file of today's recipe; None when it was not built yet."""
    path = _cache_path()
    return path if path.exists() else None


@contextmanager
def alone() -> Iterator[None]:
    """Let one process build at a time: two would remove each other's intermediate images."""
    path = _cache_path().with_name("sample-build.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_rootfs() -> Path:
    """Build the tar file in about 8 s and put it into the cache in one step."""
    path = _cache_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="rootfs-") as folder:
        raw, clean = Path(folder, "raw.tar"), Path(folder, "clean.tar")
        _bootstrap(raw)
        _repack(raw, clean)
        clean.replace(path)
    return path


def _cache_path() -> Path:
    # The hook by its text, not by its place: every checkout shares one cache.
    argv = _argv(Path("out"), Path(_HOOK.name))
    recipe = repr((SUITE, PACKAGES, EPOCH, DROPPED, FOLDERS, argv, _HOOK.read_text()))
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = f"sample-rootfs-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    return Path(home, "corefab", name)


def _argv(out: Path, hook: Path = _HOOK) -> tuple[str, ...]:
    return (
        "mmdebstrap", "--quiet", "--variant=extract", "--components=main",
        f"--include={','.join(PACKAGES)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        f"--extract-hook={hook}", SUITE, str(out),
    )  # fmt: skip


def _bootstrap(out: Path) -> None:
    if os.geteuid() and not shutil.which("newuidmap"):
        raise ContainerError(
            "the sample's root file system needs newuidmap, unless root builds it",
            "apt-get install uidmap",
            code=os.EX_UNAVAILABLE,
        )
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}
    run_program(_argv(out), "the sample's root file system could not be built", environment)


def run_program(
    argv: Sequence[str], failure: str, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program and return its output; raise ContainerError with its last lines."""
    try:
        done = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ContainerError(
            f"{argv[0]} is not installed", f"apt-get install {argv[0]}", code=os.EX_UNAVAILABLE
        ) from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise ContainerError(f"{failure}: {last}")
    return done.stdout


def _repack(raw: Path, clean: Path) -> None:
    """Drop the workstation's files, add mount points, normalize owners and times."""
    with tarfile.open(raw) as source, tarfile.open(clean, "w", format=tarfile.PAX_FORMAT) as target:
        for member in source:
            name = member.name.lstrip("./")
            if name and not _is_dropped(name):
                target.addfile(_levelled(member, name), _content(source, member))
        for name, mode in FOLDERS:
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
