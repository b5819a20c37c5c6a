"""Verb: compare the certificate on the workstation, on the node and as served."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from certs.certificate import Certificate
from certs.chain import read_chain
from certs.errors import CertError
from deploy import node, report
from deploy.endpoint import served_certificate
from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.settings.model import Settings
from deploy.tls import load_pair

_COLUMNS = ("where", "subject", "names", "days left", "expires", "SHA-256 begins")
_SHORT = 16
_TROUBLE = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate at one place, or why there is none."""

    where: str
    certificate: Certificate | None
    trouble: str = ""


def cert_status(folder: Path, settings: Settings, *, as_json: bool) -> int:
    """Show a row a place; return 1 on disagreement, expiry or a place without certificate."""
    rows = (_workstation(folder, settings), _node(folder, settings), _served(folder, settings))
    now = datetime.now(UTC)
    warnings = _warnings(rows, settings, now)
    if as_json:
        report.as_json({"app": settings.app, "places": [_facts(row, now) for row in rows],
                        "warnings": list(warnings)})  # fmt: skip
    else:
        report.table(
            f"certificates of {settings.app}", _COLUMNS, [_cells(row, now) for row in rows]
        )
        for fingerprint in {row.certificate.sha256: None for row in rows if row.certificate}:
            report.say(f"SHA-256 {fingerprint}")
        for warning in warnings:
            report.warn(warning)
    expired = any(row.certificate and row.certificate.days_left(now) < 0 for row in rows)
    return _TROUBLE if expired or not _agree(rows) else 0


def _workstation(folder: Path, settings: Settings) -> Row:
    try:
        return Row("workstation", load_pair(folder, settings).leaf)
    except CertError as error:
        return Row("workstation", None, error.message)


def _node(folder: Path, settings: Settings) -> Row:
    with node.reached(folder, settings) as remote:
        result = remote.run(Command("certificate", (settings.app,)))
    if result.code:
        return Row("node", None, "nothing deployed")
    try:
        return Row("node", read_chain(result.stdout.encode(), source="the node").leaf)
    except CertError as error:
        return Row("node", None, error.message)


def _served(folder: Path, settings: Settings) -> Row:
    try:
        return Row("served", served_certificate(node.endpoint(folder, settings)))
    except DeployError as error:
        return Row("served", None, error.message)


def _agree(rows: tuple[Row, ...]) -> bool:
    return len({row.certificate.sha256 if row.certificate else "" for row in rows}) == 1


def _warnings(rows: tuple[Row, ...], settings: Settings, now: datetime) -> tuple[str, ...]:
    found = []
    for row in rows:
        if row.certificate is None:
            found.append(f"{row.where}: {row.trouble}")
        elif row.certificate.days_left(now) < settings.cert_warn_days:
            found.append(f"{row.where}: {row.certificate.days_left(now)} days left")
    if not _agree(rows):
        found.append("the places do not agree; `fab deploy` brings the workstation's to the node")
    return tuple(found)


def _cells(row: Row, now: datetime) -> tuple[str, ...]:
    found = row.certificate
    if found is None:
        return (row.where, "-", "-", "-", "-", "-")
    expires = f"{found.not_after:%Y-%m-%d}"
    days = str(found.days_left(now))
    return (row.where, found.subject, ", ".join(found.names), days, expires, found.sha256[:_SHORT])


def _facts(row: Row, now: datetime) -> dict[str, object]:
    found = row.certificate
    if found is None:
        return {"where": row.where, "trouble": row.trouble}
    return {
        "where": row.where,
        "subject": found.subject,
        "names": list(found.names),
        "issuer": found.issuer,
        "serial": found.serial,
        "sha256": found.sha256,
        "not_before": found.not_before.isoformat(),
        "not_after": found.not_after.isoformat(),
        "days_left": found.days_left(now),
        "key_type": found.key_type,
    }
