"""Show the inventories of apps: as tables, as JSON, or for Prometheus."""

from collections.abc import Iterable
from datetime import UTC, datetime

from deploy.app.telling import where
from deploy.console import output
from deploy.inventory.app import Inventory, take_inventory
from deploy.inventory.places import cells, facts
from deploy.inventory.prometheus import as_prometheus
from deploy.node.holdings import NodeHostKey
from deploy.notify.plan import events
from deploy.notify.tell import tell
from deploy.project import Project
from deploy.spec.access_key import read_key

_PLACES = (
    "where", "subject", "names", "issuer", "days left", "expires", "key", "SHA-256 begins"
)  # fmt: skip
_KEYS = ("SSH key", "user", "whose", "comment", "age", "until")
_CREDENTIALS = ("credential", "age", "sealed with", "generation", "opens")
_DAY_SECONDS = 86400
_WARNING, _ERROR = 1, 2


def cert_status(projects: tuple[Project, ...], *, as_json: bool, prometheus: bool) -> int:
    """Show every inventory; return 2 with an error among the findings, 1 with a warning, else 0.

    Raises:
        DeployError: when a node cannot be reached.
    """
    now = datetime.now(UTC)
    found = [take_inventory(project, now=now) for project in projects]
    for project, one in zip(projects, found, strict=True):
        left = [
            (place.where, place.certificate.days_left(now) if place.certificate else None)
            for place in one.places
        ]
        warn_days = project.settings.cert_warn_days
        tell(project, events.certificates(where(project.settings), left, warn_days))
    if prometheus:
        output.plain(as_prometheus(found))
    elif as_json:
        every = [_facts(one) for one in found]
        output.as_json(every[0] if len(every) == 1 else {"apps": every})
    else:
        for one in found:
            show_inventory(one)
    findings = [finding for one in found for finding in one.findings]
    if any(finding.is_error for finding in findings):
        return _ERROR
    return _WARNING if findings else 0


def show_inventory(one: Inventory) -> None:
    """Print one app's inventory as tables, then its findings."""
    app = one.settings.app
    rows = [cells(place, one.now) for place in one.places]
    output.table(f"certificates of {app}", _PLACES, rows)
    if one.settings.has_key and one.agrees:
        output.good(f"all {len(one.places)} places have the same certificate")
    for found in dict.fromkeys(place.certificate for place in one.places if place.certificate):
        output.say(f"serial {found.serial}, SHA-256 {found.sha256}")
    output.table(f"credentials of {app}", _CREDENTIALS, list(_credential_cells(one)))
    output.table(f"SSH keys of {one.settings.node_address}", _KEYS, list(_key_cells(one)))
    for finding in one.findings:
        if finding.is_error:
            output.fail(finding.text, "")
        else:
            output.warn(finding.text)


def _credential_cells(one: Inventory) -> Iterable[tuple[str, ...]]:
    for held in one.holdings.credentials:
        generation = str(one.holdings.generations.get(held.name, "-"))
        opens = "yes" if held.opens else "no"
        yield held.name, _days(held.age_seconds), held.sealed_with, generation, opens


def _key_cells(one: Inventory) -> Iterable[tuple[str, ...]]:
    for host in one.holdings.host_keys:
        whose = "the node, next" if host.next else "the node"
        kind = host.key.split()[0]
        yield _fingerprint(host) or "unreadable", "", whose, kind, _days(host.age_seconds), ""
    for access in one.access:
        until = f"{access.expires:%Y-%m-%d}" if access.expires else ""
        age = _days(access.age_seconds)
        yield access.fingerprint, access.user, access.person, access.comment, age, until


def _facts(one: Inventory) -> dict[str, object]:
    return {
        "app": one.settings.app,
        "places": [facts(place, one.now) for place in one.places],
        "agree": one.agrees,
        "credentials": [
            {
                "name": held.name,
                "age_days": held.age_seconds // _DAY_SECONDS,
                "sealed_with": held.sealed_with,
                "generation": one.holdings.generations.get(held.name),
                "opens": held.opens,
            }
            for held in one.holdings.credentials
        ],
        "host_keys": [
            {
                "fingerprint": _fingerprint(host),
                "kind": host.key.split()[0],
                "age_days": host.age_seconds // _DAY_SECONDS,
                "next": host.next,
            }
            for host in one.holdings.host_keys
        ],
        "access": [
            {
                "fingerprint": access.fingerprint,
                "user": access.user,
                "person": access.person,
                "comment": access.comment,
                "age_days": access.age_days,
                "expires": access.expires.isoformat() if access.expires else None,
            }
            for access in one.access
        ],
        "errors": [finding.text for finding in one.findings if finding.is_error],
        "warnings": [finding.text for finding in one.findings if not finding.is_error],
    }


def _fingerprint(host: NodeHostKey) -> str | None:
    key = read_key(host.key)
    return key.fingerprint if key else None


def _days(seconds: int) -> str:
    return f"{seconds // _DAY_SECONDS} d"
