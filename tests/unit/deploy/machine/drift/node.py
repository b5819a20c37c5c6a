"""A node that matches the machine spec of some settings, for the tests of drift and converge."""

from datetime import UTC, datetime
from pathlib import Path

from deploy.machine.drift.plan.inspection import FoundPerson, FoundPlace, Inspection
from deploy.node.holdings import AuthorizedKey
from deploy.project import Project
from deploy.spec.plan.machine import Machine, Place
from tests.unit.deploy.examples import settings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me@here"


def project_in(folder: Path, **values: object) -> Project:
    """Make a project with one public key and a node."""
    (folder / "me.pub").write_text(f"{KEY}\n")
    return Project(folder, settings(SSH_KEYS="me.pub", NODE_ADDRESS="web1", **values))


def matching(machine: Machine) -> Inspection:
    """Make the answer of a node that is as its spec says; no release serves there."""
    keys = tuple(
        AuthorizedKey(user=one.name, file="/ignition", age_seconds=1, line=line)
        for one in machine.people
        for line in one.keys
    )
    return Inspection(
        clock=datetime.fromtimestamp(1000, UTC),
        manifest=None,
        staged={},
        claimed=frozenset(),
        paths={one.path: _found(one) for one in machine.places},
        groups={one.name: one.groups for one in machine.people},
        keys=keys,
        units=dict.fromkeys(machine.enabled, "enabled"),
        sysctl=dict(machine.sysctl),
        firewall=(),
        strays={},
        credentials=(),
        files={},
        people=(FoundPerson(name="core", uid=1000, login_shell="/bin/bash"),),
        containers=(),
        kernel_arguments=machine.kernel_arguments,
    )


def with_mode(inspection: Inspection, path: str, mode: str) -> str:
    """Make the answer of a node where the mode of a file was changed."""
    changed = inspection.paths[path].model_copy(update={"mode": mode})
    paths = inspection.paths | {path: changed}
    return inspection.model_copy(update={"paths": paths}).model_dump_json()


def absent(inspection: Inspection, path: str) -> str:
    """Make the answer of a node where a file is missing."""
    changed = inspection.paths[path].model_copy(update={"kind": "absent"})
    paths = inspection.paths | {path: changed}
    return inspection.model_copy(update={"paths": paths}).model_dump_json()


def _found(place: Place) -> FoundPlace:
    return FoundPlace(
        kind=place.kind,
        mode=place.mode or "777",
        owner=place.owner,
        mtime=datetime.fromtimestamp(10, UTC),
        ctime=datetime.fromtimestamp(20, UTC),
        target=place.target,
        sha256=place.sha256 if place.kind == "file" else "",
    )
