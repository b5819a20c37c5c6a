"""Verb: publish a node's configuration as a signed bundle."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deploy.bundle.plan.content import (
    MOST_SPECS,
    Author,
    Configuration,
    Contents,
    configuration_files,
    not_brought,
)
from deploy.bundle.send import send_changed
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.spec.login_keys import collect_keys
from deploy.spec.plan.machine import Machine, read_machine
from deploy.spec.plan.pull import NODE_FOLDER, node_bundle
from deploy.spec.prepare import checked_spec
from deploy.spec.spec import spec_from_state
from deploy.workstation.git import author
from deploy.workstation.state import save_spec, saved_specs


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A spec that machines of this node may have."""

    sha256: str
    machine: Machine


def publish_node(project: Project) -> None:
    """Publish what the settings make of the machine, for its node to take.

    Raises:
        ButaneError: when a template or an overlay is wrong.
        DeployError: when the spec has errors, or the registry refuses it.
    """
    node = required_node(project)
    sha256, rendered = checked_spec(project, collect_keys(project))
    ignition = rendered.compiled.ignition
    save_spec(project.folder, sha256, ignition)
    target = read_machine(ignition)
    earlier = tuple(_of_node(project, node))
    publisher = Publisher.of(project, node_bundle(project.settings))
    made_by = author(project.folder)
    files = configuration_files(target, [one.machine for one in earlier])

    def changed(before: Contents, serial: int) -> Contents:
        made = Configuration(
            serial,
            sha256,
            tuple(one.sha256 for one in earlier),
            Author(made_by.who, made_by.commit, made_by.dirty),
            files,
        )
        return replace(before, configuration=made)

    serial = send_changed(publisher, node, changed)
    count = output.count(len(earlier), "spec")
    output.good(
        f"{publisher.reference}: spec {sha256[:12]}, for machines of {count} (serial {serial})"
    )
    if others := not_brought(target, [one.machine for one in earlier]):
        output.warn(
            f"an earlier spec differs in {', '.join(others)}, which only a machine made again gets"
        )


def required_node(project: Project) -> str:
    """Return the node's name in the registry.

    Raises:
        DeployError: when it has none.
    """
    if not project.settings.follows_bundle:
        raise DeployError(
            "PULL_NODE is not set, so the node takes no bundles",
            "set PULL_NODE and PULL, then make the machine of that (`fab prepare`) or bring it in "
            "line (`fab converge`)",
        )
    return project.settings.pull_node


def _of_node(project: Project, node: str) -> Iterator[_Earlier]:
    """Find the specs of this node that were made here; the newest is the present one."""
    found = 0
    for sha256 in saved_specs(project.folder):
        spec = spec_from_state(project, sha256)
        if spec and found < MOST_SPECS and _node_of(spec.machine) == node:
            found += 1
            yield _Earlier(sha256, spec.machine)


def _node_of(machine: Machine) -> str:
    path = f"{NODE_FOLDER}/settings.json"
    text = next((place.text for place in machine.places if place.path == path), "")
    return str(json.loads(text)["node"]) if text else ""
