"""Compare a node with the release that serves there."""

from collections.abc import Iterator

from deploy.image.plan.image import short
from deploy.machine.drift.plan.difference import Difference, shown
from deploy.machine.drift.plan.inspection import Inspection
from deploy.node.release import Manifest

_QUADLETS = "/etc/containers/systemd"


def release_drift(app: str, found: Inspection) -> Iterator[Difference]:
    """Compare units, project files, credentials and containers with the serving release."""
    manifest = found.manifest
    if manifest is None:
        return
    yield from _units(manifest, found)
    yield from _project_files(manifest, found)
    yield from _credentials(manifest, found)
    yield from _containers(app, manifest, found)
    for path in sorted(found.strays.keys() - found.claimed):
        yield Difference("unit", path, "absent", "there", found.strays[path], "by hand")


def _units(manifest: Manifest, found: Inspection) -> Iterator[Difference]:
    for path, sha256 in manifest.units.items():
        there = found.paths.get(path)
        if there is None or there.kind != "file":
            since = there.mtime if there else None
            yield Difference("file", path, shown(sha256), "absent", since, "fab deploy")
            continue
        if there.sha256 != sha256:
            is_now = shown(there.sha256)
            yield Difference("file", path, shown(sha256), is_now, there.mtime, "fab deploy")
        mode = found.staged.get(path, there.mode)
        if there.mode != mode:
            yield Difference("mode", path, mode, there.mode, there.ctime, "fab deploy")
        if there.owner != "root:root":
            yield Difference("owner", path, "root:root", there.owner, there.ctime, "fab deploy")


def _project_files(manifest: Manifest, found: Inspection) -> Iterator[Difference]:
    for path in sorted(manifest.files.keys() | found.files.keys()):
        expected, there = manifest.files.get(path, "absent"), found.files.get(path)
        is_now, since = (there.fingerprint, there.mtime) if there else ("absent", None)
        if is_now != expected:
            expected, is_now = shown(expected), shown(is_now)
            yield Difference("project file", path, expected, is_now, since, "fab deploy --force")


def _credentials(manifest: Manifest, found: Inspection) -> Iterator[Difference]:
    there = {one.name: one for one in found.credentials}
    for name in sorted(manifest.generations.keys() | there.keys()):
        one = there.get(name)
        since = found.since(one) if one else None
        if name not in manifest.generations:
            yield Difference("credential", name, "absent", "unknown", since, "by hand")
        elif one is None or not one.opens:
            expected, is_now = "opens on this node", "sealed elsewhere" if one else "absent"
            yield Difference("credential", name, expected, is_now, since, "fab deploy")


def _containers(app: str, manifest: Manifest, found: Inspection) -> Iterator[Difference]:
    others = found.claimed - manifest.units.keys()
    for one in found.containers:
        # Another app's name may begin with this app's.
        if f"{_QUADLETS}/{one.unit.removesuffix('.service')}.container" in others:
            continue
        name, since = one.name, one.created
        if not one.unit.startswith(app):
            is_now = f"{one.state}, made by hand"
            yield Difference("container", name, "absent", is_now, since, "by hand")
        elif one.state == "running" and one.image != manifest.image_id:
            expected, is_now = short(manifest.image_id), short(one.image)
            yield Difference("container", name, expected, is_now, since, "fab deploy --force")
