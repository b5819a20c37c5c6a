"""Verb: compare a node with its machine spec and with its release."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from deploy.app.look import looking
from deploy.app.telling import where
from deploy.console import output
from deploy.machine.drift.inspect import ask_spec_hash, inspect
from deploy.machine.drift.plan.difference import Difference, Remedy
from deploy.machine.drift.plan.machine_drift import machine_drift
from deploy.machine.drift.plan.release_drift import release_drift
from deploy.node import session
from deploy.node.remote import Remote
from deploy.notify.plan import events
from deploy.notify.tell import tell
from deploy.page.fetch import DRIFT
from deploy.project import Project
from deploy.settings.model import PROXY_APP, Settings
from deploy.spec.spec import Spec, spec_from_settings, spec_from_state

_DRIFT, _UNKNOWN = 2, 1
_FINDINGS = TypeAdapter(tuple[Difference, ...])
_OF_THE_PROXY: Mapping[Remedy, Remedy] = {
    "fab deploy": "fab proxy-deploy",
    "fab deploy --force": "fab proxy-deploy --force",
}
_COLUMNS = ("what", "where", "expected", "found", "since", "fix with")


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences; hashes of the node's spec and of the one compared with; the release."""

    differences: tuple[Difference, ...]
    spec: str
    compared_with_spec: str
    release: str | None


def drift(project: Project, *, as_json: bool) -> int:
    """Show the differences; return 2 when there are any, 1 when there may be others, else 0.

    Raises:
        DeployError: when the node cannot be inspected.
    """
    settings = project.settings
    with looking(project, page=DRIFT) as remote:
        trouble = remote.trouble
        found = find_drift(project, remote)
    differences = found.differences
    if differences or not trouble:
        found_here = [(one.what, one.subject) for one in differences]
        tell(project, events.drift(where(settings), found_here))
    if as_json:
        output.as_json({
            "app": settings.app,
            "node": settings.node_address,
            "spec": found.spec,
            "compared_with_spec": found.compared_with_spec,
            "release": found.release,
            "findings": _FINDINGS.dump_python(differences, mode="json"),
        })  # fmt: skip
    else:
        _show(settings, differences)
    if differences:
        return _DRIFT
    return _UNKNOWN if trouble else 0


def find_drift(project: Project, remote: Remote) -> Drift:
    """Compare a node with its machine spec and with its release.

    Raises:
        DeployError: when the node cannot be inspected.
    """
    settings = project.settings
    sha256 = ask_spec_hash(remote)
    spec = _spec(project, sha256)
    found = inspect(remote, settings.app, spec.machine)
    proxy = tuple(_proxy_drift(remote)) if settings.tls == "proxy" else ()
    own = release_drift(settings.app, found)
    # What belongs to no app is found with each.
    differences = tuple(dict.fromkeys((*machine_drift(spec.machine, found), *own, *proxy)))
    if session.is_closed(settings):
        differences = tuple(_of_a_closed_node(settings, one) for one in differences)
    release = found.manifest.release if found.manifest else None
    return Drift(differences, sha256, spec.sha256, release)


def _of_a_closed_node(settings: Settings, one: Difference) -> Difference:
    """Name what puts it right where no command can log in."""
    if one.remedy == "by hand":
        return one
    if one.remedy != "fab converge" or not settings.follows_bundle:
        return replace(one, remedy="reinstall")
    # A bundle compares files and units, not what they loaded into the kernel.
    in_memory = one.what in ("firewall", "sysctl")
    return replace(one, remedy="fab node-command reboot" if in_memory else "fab publish --node")


def _proxy_drift(remote: Remote) -> Iterator[Difference]:
    """Compare the node's proxy with its own release."""
    for one in release_drift(PROXY_APP, inspect(remote, PROXY_APP)):
        yield replace(one, remedy=_OF_THE_PROXY.get(one.remedy, one.remedy))


def _spec(project: Project, sha256: str) -> Spec:
    kept = spec_from_state(project, sha256)
    if kept is None:
        output.warn(
            f"the node's machine spec ({sha256[:12] or 'of unknown hash'}) is not in state/specs: "
            "comparing with the spec of the current settings"
        )
    return kept or spec_from_settings(project)


def _show(settings: Settings, differences: tuple[Difference, ...]) -> None:
    if not differences:
        output.good(f"no drift: {settings.node_address} matches its machine spec and release")
        return
    rows = [
        (one.what, one.subject, one.expected, one.found, _when(one), one.remedy)
        for one in differences
    ]
    output.table(f"{len(rows)} differences on {settings.node_address}", _COLUMNS, rows)


def _when(one: Difference) -> str:
    return f"{one.since:%Y-%m-%d %H:%M:%S}" if one.since else ""
