"""What commands and nodes find, as findings to tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.notify.plan.notice import Event, Finding

_SERVES, _FAILED, _DOWN = "serves", "failed", "down"
_HEARD = "heard"
_NONE = "none"
_ERROR_DAYS = 7


@dataclass(frozen=True, slots=True)
class Where:
    """An app on a node."""

    app: str
    node: str

    def __str__(self) -> str:
        return f"{self.app} on {self.node}"


def deployed(where: Where, what: str, release: str, by: str) -> Finding:
    """Tell of a release that serves."""
    return Finding(
        "deploy",
        where.app,
        where.node,
        f"{_SERVES} {release}",
        f"{where}: {what} done, release {release} serves",
        f"by {by}",
    )


def failed(where: Where, what: str, why: str, undone: str, *, restored: bool) -> Finding:
    """Tell of a deploy that failed; `undone` says what serves now, `restored` that all is well."""
    return Finding(
        "deploy",
        where.app,
        where.node,
        _FAILED if restored else _DOWN,
        f"{where}: {what} failed" + ("" if restored else ", and what served before is not proven"),
        # The lines after the first are the app's own output, which may contain secrets.
        f"{why.partition(chr(10))[0]}\n{undone}",
        trouble=True,
    )


def drift(where: Where, differences: Iterable[tuple[str, str]]) -> Finding:
    """Tell how a node differs from its spec and release: what, and where."""
    found = sorted(set(differences))
    if not found:
        return _well("drift", where, _NONE, f"{where.node}: no drift any more")
    return Finding(
        "drift",
        where.app,
        where.node,
        "\n".join(f"{what}\t{subject}" for what, subject in found),
        f"{where.node} differs from its machine spec or release ({len(found)})",
        "\n".join((*(f"{what}: {subject}" for what, subject in found[:10]), "`fab drift`")),
        trouble=True,
    )


def certificates(where: Where, left: Iterable[tuple[str, int | None]], warn_days: int) -> Finding:
    """Tell of certificates: where each is, and how many days it has left; None for none there."""
    found = sorted({(place, _ends(days, warn_days), days) for place, days in left}, key=str)
    soon = [one for one in found if one[1]]
    if not soon:
        return _well("certificate", where, _NONE, f"{where}: certificates are well again")
    lines = (f"{place}: {_days(days)}" for place, _, days in soon)
    return Finding(
        "certificate",
        where.app,
        where.node,
        "\n".join(f"{place}\t{ends}" for place, ends, _ in soon),
        f"{where}: a certificate expires soon, or is missing",
        "\n".join((*lines, "`fab cert-status`")),
        trouble=True,
    )


def unheard(where: Where, why: str) -> Finding:
    """Tell that a node does not answer, or has not told for long how it is."""
    return Finding(
        "node", where.app, where.node, "unheard", f"{where.node} is not heard", why, trouble=True
    )


def heard(where: Where) -> Finding:
    """Tell that a node answers."""
    return _well("node", where, _HEARD, f"{where.node} is heard again")


def unhealthy(where: Where, why: str) -> Finding:
    """Tell that an app does not answer its health path."""
    return Finding(
        "health", where.app, where.node, "unhealthy", f"{where} is not healthy", why, trouble=True
    )


def healthy(where: Where) -> Finding:
    """Tell that an app is healthy."""
    return _well("health", where, "healthy", f"{where} is healthy again")


def tried(where: Where, by: str) -> Finding:
    """Make a message that only shows that one arrives."""
    return Finding(
        "test", where.app, where.node, "test", f"{where}: notifications arrive here", f"by {by}"
    )


def _well(event: Event, where: Where, state: str, title: str) -> Finding:
    return Finding(event, where.app, where.node, state, title, lasting=True)


def _ends(days: int | None, warn_days: int) -> str:
    """Say in steps how soon a certificate expires: a day less is no news."""
    if days is None:
        return "missing"
    if days < 0:
        return "expired"
    if days < _ERROR_DAYS:
        return f"under {_ERROR_DAYS} days"
    return f"under {warn_days} days" if days < warn_days else ""


def _days(days: int | None) -> str:
    if days is None:
        return "there is none"
    return "expired" if days < 0 else f"{days} days left"
