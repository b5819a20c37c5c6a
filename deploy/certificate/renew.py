"""Verb: a new certificate when the present one is due, for timers and CI."""

from datetime import UTC, datetime

from certs.certificate import Certificate
from certs.renewal import Renewal, renewal
from deploy.app.credentials import Credentials
from deploy.app.tls import alone, load_pair
from deploy.certificate.acme import advised
from deploy.certificate.rotate import rotate
from deploy.certificate.serve import deliver
from deploy.certificate.source import Wish
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import Settings


def cert_renew(project: Project, wish: Wish, credentials: Credentials, *, force: bool) -> None:
    """Renew what is due, and bring to the node what an interrupted renewal left here.

    Two runs at a time wait for each other, and the second has nothing to do.

    Raises:
        CertError: when nothing can be had; what serves is not touched.
        DeployError: when the new certificate is not served; the old one is.
    """
    settings = project.settings
    with alone(project):
        leaf = load_pair(project).leaf
        wanted = due(leaf, settings, now=datetime.now(UTC), at=_advice(project, leaf))
        if wanted.due or force:
            output.say(f"{settings.app} is renewed: {wanted.reason if wanted.due else 'asked for'}")
            rotate(project, wish, credentials)
        else:
            output.good(f"{settings.app} is not due: {wanted.reason}")
            deliver(project, credentials)


def due(
    leaf: Certificate, settings: Settings, *, now: datetime, at: datetime | None = None
) -> Renewal:
    """Decide: by its life, by the authority's advice, or because a name of the app is missing."""
    missing = [name for name in settings.cert_names if not leaf.covers(name)]
    if missing:
        return Renewal(due=True, at=now, reason=f"{', '.join(missing)} is not among its names")
    return renewal(leaf, now=now, suggested=at)


def _advice(project: Project, leaf: Certificate) -> datetime | None:
    return advised(project, leaf) if project.settings.cert_from == "acme" else None
