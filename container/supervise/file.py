"""Read workers from a TOML file; that needs Python 3.11, options work from 3.9 on."""

from __future__ import annotations

import os
import sys

from container.errors import ContainerError

TOP = ("stop",)


def read_file(path: str) -> dict[str, object]:
    """Read the file; ContainerError (EX_CONFIG) names the place of a mistake."""
    if sys.version_info < (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:2])
        raise ContainerError(
            f"{path} cannot be read: Python {found} has no TOML reader (3.11 has)",
            "give the workers with --worker NAME COMMAND and --set NAME.KEY=VALUE",
            code=os.EX_CONFIG,
        )
    import tomllib  # noqa: PLC0415 - not there in 3.9 and 3.10

    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = tomllib.load(file)
    except OSError as error:
        raise ContainerError(f"{path}: {error.strerror}", code=os.EX_NOINPUT) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ContainerError(f"{path}: {error}", code=os.EX_CONFIG) from error
    wrong = [key for key in found if key not in {*TOP, "worker"}]
    listed = found.get("worker", [])
    if wrong or not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        keys = ", ".join(wrong) or "worker"
        raise ContainerError(
            f"{path}: {keys} is not understood",
            "a file has [[worker]] tables, and above them stop = SECONDS",
            code=os.EX_CONFIG,
        )
    return found
