"""What is known of a fleet: its nodes and apps, and why something is not known."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from deploy.app.plan.history import PastRelease
from deploy.console.output import count
from deploy.inventory.places import ERROR_DAYS, Finding, Place
from deploy.machine.drift.plan.difference import Difference
from deploy.metrics.plan.exposition import Family
from deploy.node.journal import AuditLine
from deploy.node.state import NodeState

HEALTHY = "healthy"
_MOST_UNITS = 10**6
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Unknown:
    """In place of what could not be had: why."""

    why: str


@dataclass(frozen=True, slots=True)
class App:
    """What is known of an app; `warn_days` before its certificate ends, it needs attention."""

    name: str
    state: NodeState | Unknown
    health: str = ""
    releases: tuple[PastRelease, ...] | Unknown = ()
    places: tuple[Place, ...] | Unknown = ()
    findings: tuple[Finding, ...] = ()
    drift: tuple[Difference, ...] | Unknown = ()
    warn_days: int = ERROR_DAYS

    @property
    def is_healthy(self) -> bool:
        """Whether a visit found the app healthy."""
        return self.health == HEALTHY


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of a node.

    `unheard` says why nothing is known of it, `trouble` why what is known may not be how it is
    now; both are empty where all is well.
    """

    name: str
    apps: tuple[App, ...]
    unheard: str = ""
    trouble: str = ""
    journal: tuple[AuditLine, ...] | Unknown = ()
    metrics: tuple[Family, ...] | Unknown = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """The nodes, in the order of the settings files, as they were at `made`."""

    made: datetime
    nodes: tuple[Node, ...]

    @property
    def apps(self) -> Iterator[tuple[Node, App]]:
        """Every app, with its node."""
        return ((node, app) for node in self.nodes for app in node.apps)

    @property
    def changes(self) -> list[tuple[Node, AuditLine]]:
        """The changes of every node, the newest first."""
        every = [(node, line) for node in self.nodes for line in known(node.journal)]
        return sorted(every, key=lambda one: one[1].at, reverse=True)


def known(found: tuple[_One, ...] | Unknown) -> tuple[_One, ...]:
    """Give what is known; nothing where it is not."""
    return () if isinstance(found, Unknown) else found


def values(families: Iterable[Family], name: str, **labels: str) -> list[tuple[str, float]]:
    """List the samples of a metric that have these labels: the path that each is of, its value."""
    return [
        (sample.labels.get("path", ""), float(sample.value))
        for family in families
        if family.name == name
        for sample in family.samples
        if labels.items() <= dict(sample.labels).items()
    ]


def moment(seconds: float) -> datetime | None:
    """Make a time of seconds since 1970; None where a node names one that cannot be."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def stamp(at: datetime, form: str = "%Y-%m-%d %H:%M") -> str:
    """Write a time in UTC: the nodes of a fleet may have zones of their own."""
    return f"{at.astimezone(UTC):{form}}"


def attention(fleet: Fleet) -> Iterator[tuple[Node, App | None, str]]:
    """List what needs attention, with its node, and its app where it is of one."""
    for node in fleet.nodes:
        if node.unheard:
            yield node, None, f"unheard: {node.unheard}"
            continue
        if node.trouble:
            yield node, None, node.trouble
        for _, number in values(known(node.metrics), "corefab_failed_units"):
            if 0 < number < _MOST_UNITS:
                yield node, None, f"{count(int(number), 'unit')} of the machine failed"
        for app in node.apps:
            yield from ((node, app, text) for text in _of_app(app))


def _of_app(app: App) -> Iterator[str]:
    if isinstance(app.state, Unknown):
        yield f"its state is not known: {app.state.why}"
    elif not app.is_healthy:
        yield f"not healthy: {app.health}"
    if not isinstance(app.state, Unknown) and app.state.interrupted:
        yield f"the deploy of {app.state.interrupted.release} has not finished"
    yield from (finding.text for finding in app.findings)
    if number := len(known(app.drift)):
        yield f"drift: {count(number, 'difference')} from its machine spec and release"
