"""Decide when a certificate is due for renewal."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certs.certificate import Certificate

# The share of a life that has to be left. Lives differ from 90 days to 6, so no number of days
# suits all; two thirds is what authorities recommend for those of 90.
_SHARE_LEFT = 1 / 3
# Of a life of ten days or less a half is left, for there is little time to notice a failure.
_SHORT_LIFE = timedelta(days=10)
_SHARE_LEFT_SHORT = 1 / 2


@dataclass(frozen=True, slots=True)
class Renewal:
    """Whether to renew now, and the reason in words."""

    due: bool
    reason: str


def renewal(
    certificate: Certificate,
    *,
    now: datetime,
    suggested: datetime | None = None,
) -> Renewal:
    """Decide whether a certificate is due.

    `suggested` is the authority's own time (RFC 9773) and only ever makes it earlier.
    """
    life = certificate.not_after - certificate.not_before
    share = _SHARE_LEFT_SHORT if life <= _SHORT_LIFE else _SHARE_LEFT
    at, why = certificate.not_after - life * share, f"less than {share:.0%} of its life is left"
    if suggested is not None and suggested < at:
        at, why = suggested, "the authority asks for it"
    if now >= certificate.not_after:
        return Renewal(due=True, reason="it has expired")
    if now < at:
        return Renewal(due=False, reason=f"not before {at:%Y-%m-%d %H:%M} UTC")
    return Renewal(due=True, reason=why)
