"""Programs of Debian's packages, fetched into the cache without being installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rehearsal.places import locked

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab")


def fetched(name: str, packages: tuple[str, ...], program: str) -> Path:
    """Unpack packages into a folder of the cache, unless it has the program; return it.

    Only one process unpacks at a time; the folder is renamed into place when it is complete.
    """
    tree, debs = _CACHE / name / "tree", _CACHE / name / "debs"
    with locked(_CACHE / name / "lock"):
        if not (tree / program).exists():
            debs.mkdir(exist_ok=True)
            words = ["apt-get", "download", "--quiet", *packages]
            done = subprocess.run(words, cwd=debs, capture_output=True, text=True, check=False)
            if done.returncode and os.environ.get("CI") == "true":
                pytest.fail(f"{name} cannot be fetched: {done.stderr}")
            if done.returncode:
                pytest.skip(f"{name} cannot be fetched: {done.stderr}")
            shutil.rmtree(tree, ignore_errors=True)
            unpacked = tree.with_name("unpacked")
            shutil.rmtree(unpacked, ignore_errors=True)
            for deb in debs.glob("*.deb"):
                subprocess.run(["dpkg-deb", "--extract", deb, unpacked], check=True)
            unpacked.rename(tree)
    return tree
