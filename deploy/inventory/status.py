"""Verb: certificates, SSH keys and credentials of apps, and what is wrong with them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Literal

from deploy.console import output
from deploy.inventory.app import Inventory, take_inventory
from deploy.inventory.places import Row, agree, cells, facts
from deploy.inventory.prometheus import as_prometheus
from deploy.project import Project
from deploy.spec.people import read_key

Form = Literal["table", "json", "prometheus"]
_PLACES = (
    "where", "subject", "names", "issuer", "days left", "expires", "key", "SHA-256 begins"
)  # fmt: skip
_KEYS = ("SSH key", "whose", "comment", "age", "until")
_CREDENTIALS = ("credential", "age", "sealed with", "generation", "opens")
_DAY_SECONDS = 86400
_WARNING, _ERROR = 1, 2


def cert_status(projects: tuple[Project, ...], *, form: Form) -> int:
    """Show all of it; return 2 when something is wrong, 1 when something soon will be, else 0.

    Raises:
        DeployError: when a node cannot be reached.
    """
    now = datetime.now(UTC)
    found = [take_inventory(project, now=now) for project in projects]
    if form == "prometheus":
        output.plain(as_prometheus(found))
    elif form == "json":
        every = [_facts(one) for one in found]
        output.as_json(every[0] if len(every) == 1 else {"apps": every})
    else:
        for one in found:
            show_inventory(one)
    return _code(found)


def _code(found: Iterable[Inventory]) -> int:
    every = [finding for one in found for finding in one.findings]
    if any(finding.is_error for finding in every):
        return _ERROR
    return _WARNING if every else 0


def show_inventory(one: Inventory) -> None:
    """Show one app's inventory to people, with what is wrong."""
    app = one.settings.app
    output.table(f"certificates of {app}", _PLACES, [cells(row, one.now) for row in one.rows])
    if agree(one.rows):
        output.good(f"all {len(one.rows)} places have the same certificate")
    for serial, fingerprint in dict.fromkeys(_marks(one.rows)):
        output.say(f"serial {serial}, SHA-256 {fingerprint}")
    output.table(f"credentials of {app}", _CREDENTIALS, list(_credential_cells(one)))
    output.table(f"SSH keys of {one.settings.node_address}", _KEYS, list(_key_cells(one)))
    for finding in one.findings:
        if finding.is_error:
            output.fail(finding.text, "")
        else:
            output.warn(finding.text)


def _marks(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.certificate:
            yield row.certificate.serial, row.certificate.sha256


def _credential_cells(one: Inventory) -> Iterable[tuple[str, ...]]:
    for held in one.held.credentials:
        generation = str(one.held.generations.get(held.name, "-"))
        opens = "yes" if held.opens else "no"
        yield held.name, _days(held.age_seconds), held.sealed_with, generation, opens


def _key_cells(one: Inventory) -> Iterable[tuple[str, ...]]:
    for host in one.held.host_keys:
        key = read_key(host.key)
        whose = "the node, next" if host.next else "the node"
        mark = key.fingerprint if key else "unreadable"
        yield mark, whose, host.key.split()[0], _days(host.age_seconds), ""
    for key, person, days in one.access:
        until = f"{key.expires:%Y-%m-%d}" if key.expires else ""
        yield key.fingerprint, person, key.comment, f"{days} d", until


def _facts(one: Inventory) -> dict[str, object]:
    return {
        "app": one.settings.app,
        "places": [facts(row, one.now) for row in one.rows],
        "agree": agree(one.rows),
        "credentials": [
            {
                "name": held.name,
                "age_days": held.age_seconds // _DAY_SECONDS,
                "sealed_with": held.sealed_with,
                "generation": one.held.generations.get(held.name),
                "opens": held.opens,
            }
            for held in one.held.credentials
        ],
        "host_keys": [
            {
                "fingerprint": key.fingerprint if (key := read_key(host.key)) else None,
                "kind": host.key.split()[0],
                "age_days": host.age_seconds // _DAY_SECONDS,
                "next": host.next,
            }
            for host in one.held.host_keys
        ],
        "access": [
            {
                "fingerprint": key.fingerprint,
                "person": person,
                "comment": key.comment,
                "age_days": days,
                "expires": key.expires.isoformat() if key.expires else None,
            }
            for key, person, days in one.access
        ],
        "errors": [finding.text for finding in one.findings if finding.is_error],
        "warnings": [finding.text for finding in one.findings if not finding.is_error],
    }


def _days(seconds: int) -> str:
    return f"{seconds // _DAY_SECONDS} d"
