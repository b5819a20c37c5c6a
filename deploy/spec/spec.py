"""A machine spec with its hash: made from the settings, or kept in `state/specs`."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from butane.render import Values
from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.beside import apps_beside
from deploy.spec.login_keys import collect_keys
from deploy.spec.people import revoked_keys
from deploy.spec.plan.machine import Machine, read_machine
from deploy.spec.plan.pull import status_values
from deploy.spec.render import Rendered, paths_of_apps, render, render_sources, values_of
from deploy.spec.status_files import QUESTION, read_status_files
from deploy.workstation.state import load_spec


@dataclass(frozen=True, slots=True)
class Spec:
    """A machine spec; `sha256` is the hash of everything it is made from."""

    sha256: str
    machine: Machine
    ignition: str = field(repr=False)


def spec_from_settings(project: Project) -> Spec:
    """Make the spec that `fab prepare` would write, without writing it.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    sha256, rendered = render_spec(project, collect_keys(project))
    return _spec(sha256, rendered.compiled.ignition)


def spec_from_state(project: Project, sha256: str) -> Spec | None:
    """Read the spec with this hash from `state/specs`; None where it is not there."""
    ignition = load_spec(project.folder, sha256)
    return None if ignition is None else _spec(sha256, ignition)


def prepared_spec(project: Project) -> bytes:
    """Read the Ignition file that `fab prepare` made.

    Raises:
        DeployError: when there is none.
    """
    try:
        return project.ignition.read_bytes()
    except FileNotFoundError as error:
        raise DeployError(
            f"{project.ignition} does not exist", "make it with `fab prepare`"
        ) from error


def render_spec(
    project: Project, keys: tuple[str, ...], compiler: str = "python"
) -> tuple[str, Rendered]:
    """Render and compile a machine spec; return its hash with it.

    The hash covers every rendered source file, with zeros in place of the hash itself.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    beside = apps_beside(project)
    values = _with_question(project, values_of(project, keys, revoked_keys(project)), beside)
    digest = hashlib.sha256()
    sources = render_sources(project.folder, values, beside)
    for name, content in sorted(sources.all.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    for name, kind in sorted(sources.tree.items()):
        digest.update(f"{name}\0{kind}\0".encode(errors="surrogateescape"))
    sha256 = digest.hexdigest()
    return sha256, render(project, {**values, "SPEC": sha256}, beside=beside, tool=compiler)


def _with_question(project: Project, values: Values, beside: Iterable[Project]) -> Values:
    """Add what a machine with a page for `fab drift` looks at, which the spec itself says.

    The manifests of releases name the host files of apps.
    """
    files = read_status_files(project)
    if QUESTION not in files:
        return values
    rendered = render(project, values, beside=beside)
    known = {f"path {path}" for path in paths_of_apps(rendered.sources)}
    lines = sorted(read_machine(rendered.compiled.ignition).question - known)
    question = "".join(f"{line}\n" for line in lines).encode()
    return {**values, **status_values({**files, QUESTION: question})}


def _spec(sha256: str, ignition: str) -> Spec:
    return Spec(sha256, read_machine(ignition), ignition)
