"""Build images with podman, without a registry; the same input gives the same image id."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from container.errors import ContainerError

EPOCH = 1735689600  # 2025-01-01; nothing in an image is newer, so equal input gives equal bytes


def cache() -> Path:
    """Return the folder of the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab")


@contextmanager
def alone() -> Iterator[None]:
    """Let one process build at a time: two would remove each other's intermediate images."""
    path = cache() / "sample-build.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def podman_build(tag: str, context: Path, *arguments: str) -> str:
    """Build the Containerfile of a folder as `tag` and return the image's id.

    Raises:
        ContainerError: with the last lines of podman.
    """
    # No cache of layers: podman 4.3 takes one although the value of an ARG in it has changed.
    argv = (
        "podman", "build", "--quiet", "--layers=false", f"--timestamp={EPOCH}", "--format=oci",
        *arguments, f"--tag={tag}", str(context),
    )  # fmt: skip
    return run_program(argv, f"podman could not build {tag}").split()[-1]


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
