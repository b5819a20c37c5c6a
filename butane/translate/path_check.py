"""The rules for absolute paths."""

import posixpath


def path_problem(path: str) -> str:
    """Describe what is wrong with a path that must be absolute and clean; empty when valid."""
    if not path:
        return "path not specified"
    if not path.startswith("/"):
        return "path not absolute"
    return "" if clean(path) == path else "path is not fully simplified"


def clean(path: str) -> str:
    """Simplify a path as Go does: one leading slash, no dots, no double slashes."""
    simple = posixpath.normpath(path) if path else "."
    return "/" + simple.lstrip("/") if simple.startswith("/") else simple


def join(folder: str, name: str) -> str:
    """Join two paths as Go does; empty parts are left out, and nothing joined is empty."""
    parts = [part for part in (folder, name) if part]
    return clean("/".join(parts)) if parts else ""
