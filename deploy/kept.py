"""What the workstation keeps of the past: releases that were deployed, specs machines were born of.

Everything lies in `state/`, which git ignores and `make clean` leaves alone; 0600 each.
"""

import re
from pathlib import Path

from deploy.files import write_atomically
from deploy.plan.release import Manifest
from deploy.project import Project

_MARK = re.compile(r"[0-9a-f]{64}")


def keep_release(project: Project, manifest: Manifest) -> Path:
    """Keep a copy of a release's manifest."""
    path = project.state / "releases" / manifest.app / f"{manifest.release}.json"
    _keep(path, manifest.model_dump_json(indent=1).encode())
    return path


def keep_spec(project: Project, mark: str, ignition: str) -> Path:
    """Keep a machine spec under the mark that a machine made of it bears."""
    path = _spec(project, mark)
    _keep(path, ignition.encode())
    return path


def kept_spec(project: Project, mark: str) -> str | None:
    """Find the spec that a machine was born of; None where it is not kept here."""
    if not _MARK.fullmatch(mark) or not (path := _spec(project, mark)).exists():
        return None
    return path.read_text(encoding="utf-8")


def _spec(project: Project, mark: str) -> Path:
    return project.state / "specs" / f"{mark}.ign"


def _keep(path: Path, content: bytes) -> None:
    write_atomically(path, content, 0o600, folder_mode=0o700)
