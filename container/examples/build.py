"""Build an example's image: `python -m container.examples.build NAME [TAG]`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from shutil import copytree

from container.errors import ContainerError
from container.image import alone, cache, podman_build, run_program
from container.rootfs import Recipe, build_rootfs, cached_rootfs

_HERE = Path(__file__).parent
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def _packages(
    name: str, suite: str, packages: tuple[str, ...], kept: tuple[str, ...], *folders: str
) -> Recipe:
    return Recipe(
        name, suite, packages, _HERE / "keep.sh", kept, tuple((folder, 0o755) for folder in folders)
    )


# The packages of each example, and the paths of their files that it needs; None: no packages.
EXAMPLES: dict[str, Recipe | None] = {
    # The version of trixie is 2.6.
    "caddy": _packages(
        "caddy",
        "forky",
        ("caddy", "ca-certificates"),
        ("usr/bin/caddy", _CERTIFICATES),
        "etc/caddy",
        "config",
    ),
    "flask": _packages(
        "flask",
        "trixie",
        ("python3-flask", "gunicorn"),
        ("usr/bin/python3", "usr/lib/python3", "usr/lib/python3.13"),
    ),
    "go": None,
    "nginx": _packages("nginx", "trixie", ("nginx",), ("usr/sbin/nginx", "etc/nginx/mime.types")),
    "node": _packages("node", "trixie", ("nodejs",), ("usr/bin/node", "usr/share/nodejs")),
    "php": _packages(
        "php",
        "trixie",
        ("php8.4-fpm", "caddy", "dash"),
        ("usr/bin/caddy", "usr/bin/sh", "usr/bin/dash", "usr/sbin/php-fpm8.4", "etc/mime.types"),
    ),
}


def build(name: str, tag: str = "") -> str:
    """Build an example's image, localhost/corefab-NAME:latest by default, and return its id.

    Raises:
        ContainerError: when a program is missing or fails.
    """
    recipe = EXAMPLES[name]
    with alone(), tempfile.TemporaryDirectory(dir=cache(), prefix="context-") as folder:
        context = Path(folder, name)
        copytree(_HERE / name, context)
        if recipe:
            rootfs = cached_rootfs(recipe) or build_rootfs(recipe)
            (context / "rootfs.tar").hardlink_to(rootfs)
        else:
            _compile(context)
        return podman_build(tag or f"localhost/corefab-{name}:latest", context)


def _compile(context: Path) -> None:
    """Build the Go program of a folder: one file that needs no library."""
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    argv = (
        "go",
        "build",
        "-C",
        str(context),
        "-trimpath",
        "-ldflags=-s -w -buildid=",
        "-o",
        "server",
    )
    run_program(argv, "the Go program could not be built", {**os.environ, **settings})


def main(arguments: list[str]) -> int:
    """Build the example that the arguments name and print the image's id."""
    if len(arguments) not in {1, 2} or arguments[0] not in EXAMPLES:
        sys.stderr.write(f"examples: {', '.join(EXAMPLES)}; name one, and a tag if you like\n")
        return 2
    try:
        sys.stdout.write(f"{build(*arguments)}\n")
    except ContainerError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
