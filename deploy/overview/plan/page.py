"""Write what is known of a fleet as one HTML page."""

import math
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

from deploy.app.plan.history import PastRelease
from deploy.console.output import count
from deploy.console.size import size
from deploy.image.plan.image import short
from deploy.inventory.places import ERROR_DAYS, Place
from deploy.machine.drift.plan.difference import Difference
from deploy.metrics.plan.exposition import Family
from deploy.node.journal import MACHINE
from deploy.overview.plan import chart
from deploy.overview.plan.document import Document, Table
from deploy.overview.plan.fleet import (
    App,
    Fleet,
    Node,
    Unknown,
    attention,
    known,
    moment,
    stamp,
    values,
)

_NODES = ("node", "state", "operating system", "up since", "memory", "disk", "apps")
_RELEASES = ("release", "result", "image", "who", "when", "commit", "took", "detail")
_PLACES = ("place", "names", "issuer", "days left", "expires")
_DRIFT = ("what", "where", "expected", "found", "since", "fix with")
_CHANGES = ("when", "node", "app", "what", "result", "release", "who", "from", "detail")
# More rows are of no use to a reader, and a node can send very many.
_MOST_ROWS = 200
_WHOLE_DAYS = 90
_FULL, _NEARLY_FULL = 0.9, 0.8
_DISK = "/var"
_DAY, _SECOND = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


def write_page(fleet: Fleet, style: str, secrets: Iterable[str]) -> str:
    """Write the page; secrets that a node or a message tells are hidden."""
    document = Document(f"corefab: {_counted(fleet)}", style, secrets)
    main = document.add(document.body, "main")
    document.add(main, "h1", "Fleet")
    document.add(main, "p", f"{_counted(fleet)}, as of {stamp(fleet.made, _SECOND)} UTC")
    links = {id(app): f"app-{number}" for number, (_, app) in enumerate(fleet.apps, 1)}
    _attention(document, main, fleet, links)
    _nodes(document, main, fleet, links)
    section = _section(document, main, "Apps")
    for node, app in fleet.apps:
        _app(document, section, fleet, (node, app), links[id(app)])
    _changes(document, main, fleet)
    return document.html()


def _counted(fleet: Fleet) -> str:
    return f"{count(len(fleet.nodes), 'node')}, {count(len(list(fleet.apps)), 'app')}"


def _section(document: Document, parent: ET.Element, title: str) -> ET.Element:
    made = document.add(parent, "section")
    document.add(made, "h2", title)
    return made


def _attention(
    document: Document, main: ET.Element, fleet: Fleet, links: Mapping[int, str]
) -> None:
    found = list(attention(fleet))
    section = _section(document, main, "Needs attention")
    if not found:
        document.add(section, "p", "Nothing.", class_="badge good")
        return
    listed = document.add(section, "ul")
    for node, app, text in found[:_MOST_ROWS]:
        item = document.add(listed, "li")
        where = f"{app.name} on {node.name}" if app else node.name
        if app:
            document.add(item, "a", where, href=f"#{links[id(app)]}")
        else:
            document.add(item, "strong", where)
        document.add(item, "span", f": {text}")
    _more(document, section, len(found))


def _nodes(document: Document, main: ET.Element, fleet: Fleet, links: Mapping[int, str]) -> None:
    table = document.table(_section(document, main, "Nodes"), "nodes of the fleet", _NODES)
    for node in fleet.nodes:
        system, since = _system(node), _since(node)
        cells = table.row(node.name, "", system, since, "", "", "")
        level, word = "good", "answers"
        if node.unheard or node.trouble:
            level, word = ("bad", "unheard") if node.unheard else ("warning", "not as of now")
        document.add(cells[1], "span", word, class_=f"badge {level}")
        if not node.unheard and isinstance(node.metrics, Unknown):
            document.add(cells[4], "span", f"not known: {node.metrics.why}")
        families = known(node.metrics)
        _gauge(document, cells[4], "memory", _pair(families, "corefab_memory", ""))
        _gauge(document, cells[5], _DISK, _pair(families, "corefab_filesystem", _DISK))
        for app in node.apps:
            document.add(cells[6], "a", app.name, href=f"#{links[id(app)]}")


def _system(node: Node) -> str:
    for app in node.apps:
        if not isinstance(app.state, Unknown):
            staged = app.state.staged_update
            return app.state.os + (f", staged: {staged}" if staged else "")
    return "-"


def _since(node: Node) -> str:
    for _, seconds in values(known(node.metrics), "corefab_boot_timestamp_seconds"):
        if at := moment(seconds):
            return stamp(at)
    return "-"


def _pair(families: tuple[Family, ...], name: str, path: str) -> tuple[float, float] | None:
    """Find how much is available of how much."""
    whole = dict(values(families, f"{name}_size_bytes")).get(path, 0)
    free = dict(values(families, f"{name}_available_bytes")).get(path, -1)
    return (free, whole) if math.isfinite(whole) and 0 <= free <= whole and whole else None


def _gauge(
    document: Document, cell: ET.Element, what: str, pair: tuple[float, float] | None
) -> None:
    if pair is None:
        return
    free, whole = pair
    used = 1 - free / whole
    level = "bad" if used > _FULL else "warning" if used > _NEARLY_FULL else "good"
    text = f"{size(free)} of {size(whole)} free"
    chart.meter(document, cell, f"{what}: {used:.0%} used", used, level)
    document.add(cell, "span", text, class_="beside")


def _app(
    document: Document, section: ET.Element, fleet: Fleet, found: tuple[Node, App], link: str
) -> None:
    node, app = found
    article = document.add(section, "article", id=link)
    heading = document.add(article, "h3", app.name)
    document.add(heading, "span", f" on {node.name} ", class_="beside")
    if isinstance(app.state, Unknown):
        document.add(
            heading, "span", "unheard" if node.unheard else "not known", class_="badge bad"
        )
        document.add(article, "p", app.state.why)
    else:
        word, level = (app.health, "good") if app.is_healthy else ("not healthy", "bad")
        document.add(heading, "span", word, class_=f"badge {level}")
        _facts(document, article, _about(app))
    lines = [line for line in known(node.journal) if line.app == app.name]
    if lines:
        document.add(article, "h4", "Changes over time")
        chart.timeline(document, article, lines, fleet.made)
    if not node.unheard:
        _releases(document, article, app.releases)
        _certificates(document, article, fleet, app)
        _drift(document, article, app.drift)


def _about(app: App) -> dict[str, str]:
    state = app.state
    if isinstance(state, Unknown):
        return {}
    manifest = state.manifest
    return {
        "health": app.health,
        "release": f"{state.release}, by {manifest.by}, {stamp(manifest.at)}"
        if manifest
        else "none",
        "image": f"{manifest.image} {short(manifest.image_id)}" if manifest else "-",
        "unit": f"{state.active} ({state.sub_state}) {state.status_text}".strip()
        + (f" since {state.since}" if state.since and state.active == "active" else ""),
        "slot": state.slot or "-",
        "restarts": str(state.restarts),
        "credentials": ", ".join(f"{name} {word}" for name, word in state.credentials.items())
        or "none",
    }


def _facts(document: Document, parent: ET.Element, facts: Mapping[str, str]) -> None:
    listed = document.add(parent, "dl")
    for name, text in facts.items():
        pair = document.add(listed, "div")
        document.add(pair, "dt", name)
        document.add(pair, "dd", text)


def _releases(
    document: Document, parent: ET.Element, releases: tuple[PastRelease, ...] | Unknown
) -> None:
    if not _heading(document, parent, "Releases", releases, "none"):
        return
    every = known(releases)
    took = [(one.release, sum(one.seconds.values())) for one in reversed(every) if one.seconds]
    if took:
        chart.bars(document, parent, took)
    table = document.table(parent, "releases", _RELEASES)
    for one in every[:_MOST_ROWS]:
        seconds = f"{sum(one.seconds.values()):.1f} s" if one.seconds else ""
        commit = one.commit[:12] + (" (dirty)" if one.dirty else "")
        image = f"{one.image} {short(one.image_id)}".strip()
        when = stamp(one.at)
        cells = table.row(one.release, "", image, one.by, when, commit, seconds, one.detail)
        _badge(document, cells[1], one.result, failed=one.failed)
    _more(document, parent, len(every))


def _certificates(document: Document, parent: ET.Element, fleet: Fleet, app: App) -> None:
    if not _heading(document, parent, "Certificates", app.places, "none of its own"):
        return
    table = document.table(parent, "certificates", _PLACES)
    for place in known(app.places):
        _certificate(document, table, place, fleet, app.warn_days)


def _certificate(
    document: Document, table: Table, place: Place, fleet: Fleet, warn_days: int
) -> None:
    found = place.certificate
    if found is None:
        cells = table.row(place.where, place.trouble, "-", "", "-")
        document.add(cells[3], "span", "no certificate", class_="badge bad")
        return
    left = found.days_left(fleet.made)
    level = "bad" if left < ERROR_DAYS else "warning" if left < warn_days else "good"
    names = ", ".join(found.names)
    cells = table.row(place.where, names, found.issuer, "", stamp(found.not_after, _DAY))
    text = count(left, "day") if left >= 0 else "expired"
    chart.meter(document, cells[3], f"{text} left", left / _WHOLE_DAYS, level)
    document.add(cells[3], "span", text, class_="beside")


def _drift(
    document: Document, parent: ET.Element, differences: tuple[Difference, ...] | Unknown
) -> None:
    none = "none: the node matches its machine spec and release"
    if not _heading(document, parent, "Drift", differences, none):
        return
    table = document.table(parent, "differences", _DRIFT)
    every = known(differences)
    for one in every[:_MOST_ROWS]:
        since = stamp(one.since) if one.since else ""
        table.row(one.what, one.subject, one.expected, one.found, since, one.remedy)
    _more(document, parent, len(every))


def _changes(document: Document, main: ET.Element, fleet: Fleet) -> None:
    section = _section(document, main, "Journal of changes")
    for node in fleet.nodes:
        if isinstance(node.journal, Unknown):
            document.add(section, "p", f"{node.name}: not known: {node.journal.why}")
    every = fleet.changes
    if not every:
        document.add(section, "p", "No change is known.")
        return
    table = document.table(section, "changes, the newest first", _CHANGES)
    for node, line in every[:_MOST_ROWS]:
        when, app = stamp(line.at, _SECOND), "machine" if line.app == MACHINE else line.app
        cells = table.row(
            when, node.name, app, line.what, "", line.release, line.who, line.address, line.detail
        )
        _badge(document, cells[4], line.result, failed=line.result == "failed")
    _more(document, section, len(every))


def _heading(
    document: Document,
    parent: ET.Element,
    title: str,
    found: tuple[object, ...] | Unknown,
    none: str,
) -> bool:
    """Begin a part of an app; say why there is nothing to show, and tell whether there is."""
    document.add(parent, "h4", title)
    if isinstance(found, Unknown):
        document.add(parent, "p", f"not known: {found.why}")
    elif not found:
        document.add(parent, "p", none)
    return bool(known(found))


def _badge(document: Document, cell: ET.Element, word: str, *, failed: bool) -> None:
    document.add(cell, "span", word, class_=f"badge {'bad' if failed else 'good'}")


def _more(document: Document, parent: ET.Element, number: int) -> None:
    if number > _MOST_ROWS:
        document.add(parent, "p", f"{number - _MOST_ROWS} more are not shown.")
