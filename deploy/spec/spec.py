"""A machine spec as a value: the one that the settings make now, or one that is kept."""

import hashlib
from dataclasses import dataclass, field

from deploy.project import Project
from deploy.spec.login_keys import collect_keys
from deploy.spec.plan.machine import Machine, read_machine
from deploy.spec.plan.values import template_values
from deploy.spec.render import Rendered, render, render_sources
from deploy.workstation.state import kept_spec


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
    ignition = kept_spec(project.folder, mark)
    return None if ignition is None else _spec(mark, ignition)


def render_spec(
    project: Project, keys: tuple[str, ...], compiler: str = "python"
) -> tuple[str, Rendered]:
    """Render and compile a machine spec that bears its own mark; give the mark, too.

    The mark is the hash of all that the spec is made of, with zeros in the mark's own place.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    values = template_values(project.settings, keys)
    digest = hashlib.sha256()
    for name, content in sorted(render_sources(project.folder, values).all.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    mark = digest.hexdigest()
    return mark, render(project, {**values, "SPEC": mark}, tool=compiler)


def _spec(mark: str, ignition: str) -> Spec:
    return Spec(mark, read_machine(ignition), ignition)
