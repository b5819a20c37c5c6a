"""Look at every node of a fleet; what cannot be had says why, and costs only itself."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from butane.errors import ButaneError
from certs.errors import CertError
from certs.keyfile import PrivateKey
from deploy.app.look import looking
from deploy.app.operator import open_operator_key
from deploy.app.plan.history import history
from deploy.app.releases import kept_releases
from deploy.app.status import health_of
from deploy.console import output
from deploy.errors import DeployError
from deploy.inventory.app import Inventory, inventory_of
from deploy.machine.drift.drift import find_drift
from deploy.machine.drift.plan.difference import Difference
from deploy.metrics.plan.exposition import read_metrics
from deploy.node import session
from deploy.node.command import Command
from deploy.node.holdings import ask_holdings
from deploy.node.journal import AuditLine, read_journal
from deploy.node.remote import Remote
from deploy.node.state import probe
from deploy.overview.plan.fleet import App, Fleet, Node, Unknown
from deploy.page.fetch import DRIFT
from deploy.project import Project
from deploy.settings.model import Settings

_EVERY_APP = "-"
_METRICS = Command("metrics")
_Found = TypeVar("_Found")


def look_at(projects: Iterable[Project], *, lines: int) -> Fleet:
    """Ask each node about itself and its apps, with one login; a node may stay unheard."""
    grouped: dict[tuple[str, int | None, str], list[Project]] = {}
    for project in projects:
        own = project.settings
        grouped.setdefault((own.node_address, own.node_port, own.node_user), []).append(project)
    nodes = tuple(_node(some, lines) for some in grouped.values())
    return Fleet(datetime.now(UTC), nodes)


def _node(projects: list[Project], lines: int) -> Node:
    first = projects[0]
    name = _name(first.settings)
    try:
        key = open_operator_key(first) if session.is_closed(first.settings) else None
        with looking(first, key=key) as remote:
            journal = _known(lambda: read_journal(remote, _EVERY_APP, lines))
            metrics = _known(lambda: read_metrics(remote.checked(_METRICS, "reading the metrics")))
            apps = tuple(_app(one, remote, key, journal) for one in projects)
            return Node(name, apps, "", remote.trouble, journal, metrics)
    except (CertError, DeployError) as error:
        output.warn(f"{name}: {error.message}")
        why = Unknown(error.message)
        unheard = tuple(App(one.settings.app, why) for one in projects)
        return Node(name, unheard, unheard=error.message)


def _name(settings: Settings) -> str:
    address = settings.node_address or "no node"
    return address if settings.node_port is None else f"{address}:{settings.node_port}"


def _app(
    project: Project,
    remote: Remote,
    key: PrivateKey | None,
    journal: tuple[AuditLine, ...] | Unknown,
) -> App:
    settings = project.settings
    names = {source.credential: None for source in settings.sources}
    state = _known(lambda: probe(remote, settings.app, credentials=names))
    kept = _known(lambda: kept_releases(remote, settings.app))
    held = _known(lambda: _inventory(project, remote))
    own = () if isinstance(journal, Unknown) else journal
    about = tuple(line for line in own if line.app == settings.app)
    return App(
        settings.app,
        state,
        "" if isinstance(state, Unknown) else health_of(project, state),
        kept if isinstance(kept, Unknown) else history(kept, about),
        held if isinstance(held, Unknown) else held.places,
        () if isinstance(held, Unknown) else held.findings,
        _known(lambda: _drift(project, remote, key)),
        settings.cert_warn_days,
    )


def _inventory(project: Project, remote: Remote) -> Inventory:
    held = ask_holdings(remote, project.settings.app, {})
    return inventory_of(project, held, now=datetime.now(UTC))


def _drift(project: Project, remote: Remote, key: PrivateKey | None) -> tuple[Difference, ...]:
    """Compare with the machine spec and the release; a node without a login has a page for it."""
    if key is None:
        return find_drift(project, remote).differences
    with looking(project, key=key, page=DRIFT) as page:
        found = find_drift(project, page)
        if page.trouble and not found.differences:
            raise DeployError(page.trouble)
        return found.differences


def _known(read: Callable[[], _Found]) -> _Found | Unknown:
    """Read a part of what there is; why it is not known where it cannot be read."""
    try:
        return read()
    except (ButaneError, CertError, DeployError) as error:
        return Unknown(error.message)
