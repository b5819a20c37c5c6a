"""Where a node is no longer what the release that serves there says."""

from collections.abc import Iterator

from deploy.image.plan.image import short
from deploy.machine.drift.plan.difference import Difference, difference, shown
from deploy.machine.drift.plan.inspection import Inspection
from deploy.node.release import Manifest

_QUADLETS = "/etc/containers/systemd"


def release_drift(app: str, found: Inspection) -> Iterator[Difference]:
    """Compare units, project files, credentials and containers with the release that serves."""
    held = found.manifest
    if held is None:
        return
    yield from _units(held, found)
    yield from _project_files(held, found)
    yield from _credentials(held, found)
    yield from _containers(app, held, found)
    for path in sorted(found.strays.keys() - found.claimed):
        yield difference(("unit", path), "absent", "there", found.strays[path], "by hand")


def _units(held: Manifest, found: Inspection) -> Iterator[Difference]:
    for path, sha256 in held.units.items():
        there = found.paths.get(path)
        if there is None or there.kind != "file":
            since = there.mtime if there else None
            yield difference(("file", path), shown(sha256), "absent", since, "fab deploy")
            continue
        if there.sha256 != sha256:
            held_hash = shown(there.sha256)
            yield difference(("file", path), shown(sha256), held_hash, there.mtime, "fab deploy")
        mode = found.staged.get(path, there.mode)
        if there.mode != mode:
            yield difference(("mode", path), mode, there.mode, there.ctime, "fab deploy")
        if there.owner != "root:root":
            yield difference(("owner", path), "root:root", there.owner, there.ctime, "fab deploy")


def _project_files(held: Manifest, found: Inspection) -> Iterator[Difference]:
    for path in sorted(held.files.keys() | found.files.keys()):
        wanted, there = held.files.get(path, "absent"), found.files.get(path)
        mark = there.mark if there else "absent"
        if mark != wanted:
            since = there.mtime if there else None
            yield difference(
                ("project file", path), shown(wanted), shown(mark), since, "fab deploy --anew"
            )


def _credentials(held: Manifest, found: Inspection) -> Iterator[Difference]:
    there = {one.name: one for one in found.credentials}
    for name in sorted(held.generations.keys() | there.keys()):
        one = there.get(name)
        since = found.since(one) if one else None
        if name not in held.generations:
            yield difference(("credential", name), "absent", "unknown", since, "by hand")
        elif one is None or not one.opens:
            word = "sealed elsewhere" if one else "absent"
            yield difference(
                ("credential", name), "opens on this node", word, since, "fab deploy --anew"
            )


def _containers(app: str, held: Manifest, found: Inspection) -> Iterator[Difference]:
    others = found.claimed - held.units.keys()
    for one in found.containers:
        # The name of another app on the node may begin like this one's.
        if f"{_QUADLETS}/{one.unit.removesuffix('.service')}.container" in others:
            continue
        if not one.unit.startswith(app):
            subject, there = one.name, f"{one.state}, made by hand"
            yield difference(("container", subject), "absent", there, one.created, "by hand")
        elif one.state == "running" and one.image != held.image_id:
            wanted, image = short(held.image_id), short(one.image)
            yield difference(
                ("container", one.name), wanted, image, one.created, "fab deploy --anew"
            )
