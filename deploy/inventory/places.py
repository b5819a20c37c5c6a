"""Compare the certificates found in different places: workstation, node, container, visitors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from certs.certificate import Certificate

ERROR_DAYS = 7
_SHORT = 16


@dataclass(frozen=True, slots=True)
class Place:
    """A place and its certificate, or why it has none."""

    where: str
    certificate: Certificate | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem; the exit code is 2 with an error, 1 with only warnings."""

    text: str
    is_error: bool = False


def findings(
    places: tuple[Place, ...], *, warn_days: int, now: datetime, alike: bool = True
) -> Iterator[Finding]:
    """Find certificates that are missing, expire soon, or differ where they should be alike."""
    for place in places:
        if place.certificate is None:
            yield Finding(f"{place.where}: {place.trouble}", is_error=True)
            continue
        left = place.certificate.days_left(now)
        if left < ERROR_DAYS:
            text = f"{left} days left" if left >= 0 else "expired"
            yield Finding(f"{place.where}: {text}", is_error=True)
        elif left < warn_days:
            yield Finding(f"{place.where}: {left} days left")
    if alike and not agree(places):
        yield Finding(
            "the certificates differ; run `fab cert-renew` to serve the workstation's",
            is_error=True,
        )


def agree(places: tuple[Place, ...]) -> bool:
    """Check that every place has a certificate, the same one."""
    found = {place.certificate.sha256 if place.certificate else "" for place in places}
    return len(found) == 1 and "" not in found


def cells(place: Place, now: datetime) -> tuple[str, ...]:
    """Make a table row of a place."""
    found = place.certificate
    if found is None:
        return (place.where, *("-" * 7))
    expires = f"{found.not_after:%Y-%m-%d}"
    days, digest = str(found.days_left(now)), found.sha256[:_SHORT]
    names = ", ".join(found.names)
    return (place.where, found.subject, names, found.issuer, days, expires, found.key_type, digest)


def facts(place: Place, now: datetime) -> dict[str, object]:
    """Make a JSON object of a place."""
    found = place.certificate
    if found is None:
        return {"where": place.where, "trouble": place.trouble}
    return {
        "where": place.where,
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
