"""Other supervisors for comparison, fetched into the cache without being installed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_DEBS = ("s6", "libs6-2.11", "libskarnet2.13", "libexecline2.9", "execline", "tini")
_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab", "bench")


@dataclass(frozen=True, slots=True)
class Rivals:
    """Where the other programs are; `missing` says why one is not there."""

    environment: dict[str, str]
    s6: Path | None
    tini: Path | None
    supervisord: Path | None
    missing: dict[str, str]


def fetch() -> Rivals:
    """Fetch what is not there yet: s6 and tini from Debian, supervisor from PyPI."""
    _HOME.mkdir(parents=True, exist_ok=True)
    missing: dict[str, str] = {}
    tree = _HOME / "debian"
    if not (tree / "usr/bin/s6-svscan").exists():
        problem = _debian(tree)
        missing |= {"s6": problem, "tini": problem} if problem else {}
    python = _HOME / "python"
    if not (python / "bin/supervisord").exists():
        problem = _run(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(python),
                       "--disable-pip-version-check", "supervisor", "setuptools<81")  # fmt: skip
        missing |= {"supervisord": problem} if problem else {}
    libraries = ":".join(str(path) for path in sorted(tree.glob("usr/lib/*-linux-gnu")))
    return Rivals(
        environment={**os.environ, "LD_LIBRARY_PATH": libraries, "PYTHONPATH": str(python),
                     "PATH": f"{tree / 'usr/bin'}:{os.environ['PATH']}"},
        s6=_there(tree / "usr/bin"), tini=_there(tree / "usr/bin/tini"),
        supervisord=_there(python / "bin/supervisord"), missing=missing,
    )  # fmt: skip


def _debian(tree: Path) -> str:
    folder = _HOME / "debs"
    folder.mkdir(exist_ok=True)
    problem = _run("apt-get", "download", "--quiet", "--quiet", *_DEBS, cwd=folder)
    for deb in folder.glob("*.deb"):
        problem = problem or _run("dpkg-deb", "--extract", str(deb), str(tree))
    return problem


def _run(*argv: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{argv[0]} is not installed"
    return done.stderr.strip()[-200:] if done.returncode else ""


def _there(path: Path) -> Path | None:
    return path if path.exists() else None
