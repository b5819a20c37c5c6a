"""A machine spec as a value: the one that the settings make now, or one that is kept."""

from dataclasses import dataclass, field

from butane.files import carried_files
from deploy.project import Project
from deploy.spec.login_keys import collect_keys
from deploy.spec.plan.machine import Machine, read_machine
from deploy.spec.prepare import render_spec
from deploy.workstation.state import load_spec


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec with its mark."""

    mark: str
    machine: Machine
    ignition: str = field(repr=False)


def spec_of_settings(project: Project) -> Spec:
    """Make the spec that `fab prepare` would write, and write nothing.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    mark, rendered = render_spec(project, collect_keys(project))
    return _spec(mark, rendered.compiled.ignition)


def spec_of_mark(project: Project, mark: str) -> Spec | None:
    """Find the spec that a machine was made of; None where it is not kept here."""
    ignition = load_spec(project.folder, mark)
    return None if ignition is None else _spec(mark, ignition)


def _spec(mark: str, ignition: str) -> Spec:
    contents = {file.path: file.content for file in carried_files(ignition)}
    return Spec(mark, read_machine(ignition, contents), ignition)
