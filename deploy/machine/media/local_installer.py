"""Run the workstation's coreos-installer to make media; its inputs stay in memory."""

import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.errors import DeployError
from deploy.workstation.programs import Start, run

_LAST_LINES = 8


def find_installer(given: str = "") -> Path:
    """Find the program: the given one, that on PATH, or that built by `make installer`.

    Raises:
        DeployError: when it is not found.
    """
    if given:
        if Path(given).is_file():
            return Path(given)
        raise DeployError(f"{given} does not exist", "correct --installer")
    if found := shutil.which("coreos-installer"):
        return Path(found)
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    built = sorted((cache / "corefab/tools").glob("coreos-installer-*/bin/coreos-installer"))
    if built:
        return built[-1]
    raise DeployError(
        "coreos-installer is not installed on this machine",
        "install it (Fedora: dnf install coreos-installer), or build it: make installer",
    )


def run_installer(
    installer: Path, words: tuple[str, ...], inputs: Mapping[str, bytes], *, doing: str
) -> None:
    """Run the program; `{name}` in a word becomes the path of that input, a file in memory.

    Raises:
        DeployError: with its last lines, when it fails.
    """
    with ExitStack() as stack:
        paths: dict[str, str] = {}
        descriptors = []
        for name, content in inputs.items():
            descriptor = os.memfd_create(name)
            stack.callback(os.close, descriptor)
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
            os.lseek(descriptor, 0, os.SEEK_SET)
            descriptors.append(descriptor)
            paths[name] = f"/proc/self/fd/{descriptor}"
        argv = [str(installer), *(word.format_map(paths) for word in words)]
        run(
            argv,
            doing=f"{doing}: coreos-installer",
            start=Start(descriptors=tuple(descriptors), umask=0o077, lines=_LAST_LINES),
        )
