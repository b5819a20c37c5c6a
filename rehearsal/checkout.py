"""A copy of the project to rehearse in, with settings, keys and nodes of its own."""

import shutil
from pathlib import Path

_PARTS = ("fabfile.py", ".env.example", "butane", "certs", "container", "deploy", "rehearsal")
_LEFT_OUT = ("__pycache__", "material", "known_hosts", ".*.tmp")


def checkout(source: Path, target: Path) -> None:
    """Copy what `fab` needs; keys, pinned hosts and settings stay behind."""
    for name in _PARTS:
        part = source / name
        if part.is_dir():
            ignored = shutil.ignore_patterns(*_LEFT_OUT)
            shutil.copytree(part, target / name, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(part, target / name)
