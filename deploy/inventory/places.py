"""A certificate at each place where it lies or is shown, and what is wrong with that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from certs.certificate import Certificate

ERROR_DAYS = 7
_SHORT = 16


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate at one place, or why there is none."""

    where: str
    certificate: Certificate | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or soon will be; errors make the exit code 2, warnings 1."""

    text: str
    is_error: bool = False


def findings(rows: tuple[Row, ...], *, warn_days: int, now: datetime) -> Iterator[Finding]:
    """Judge certificates: missing, about to expire, or not the same everywhere."""
    for row in rows:
        if row.certificate is None:
            yield Finding(f"{row.where}: {row.trouble}", is_error=True)
            continue
        left = row.certificate.days_left(now)
        if left < ERROR_DAYS:
            text = f"{left} days left" if left >= 0 else "expired"
            yield Finding(f"{row.where}: {text}", is_error=True)
        elif left < warn_days:
            yield Finding(f"{row.where}: {left} days left")
    if not agree(rows):
        yield Finding(
            "the places do not agree; `fab cert-renew` brings the workstation's to the node",
            is_error=True,
        )


def agree(rows: tuple[Row, ...]) -> bool:
    """Tell whether all places have one and the same."""
    return len({row.certificate.sha256 if row.certificate else "" for row in rows}) == 1


def cells(row: Row, now: datetime) -> tuple[str, ...]:
    """Write a place for people."""
    found = row.certificate
    if found is None:
        return (row.where, *("-" * 7))
    expires = f"{found.not_after:%Y-%m-%d}"
    days, mark = str(found.days_left(now)), found.sha256[:_SHORT]
    names = ", ".join(found.names)
    return (row.where, found.subject, names, found.issuer, days, expires, found.key_type, mark)


def facts(row: Row, now: datetime) -> dict[str, object]:
    """Write a place for programs."""
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
