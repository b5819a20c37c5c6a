"""Renew the certificate when it is due; made for timers and CI."""

from datetime import UTC, datetime

from certs.certificate import Certificate
from certs.renewal import Renewal, renewal
from deploy.app.credentials import Credentials
from deploy.app.tls import alone, load_pair
from deploy.certificate.acme import renewal_advice
from deploy.certificate.rotate import rotate
from deploy.certificate.serve import serve_pair
from deploy.certificate.source import CertOptions
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import Settings


def cert_renew(
    project: Project, options: CertOptions, credentials: Credentials, *, force: bool
) -> None:
    """Renew the certificate if it is due; else serve what an interrupted renewal left here.

    Two runs at a time wait for each other; the second finds nothing to do.

    Raises:
        CertError: when no certificate is issued; the present one goes on serving.
        DeployError: when the new certificate does not serve; the old one does.
    """
    settings = project.settings
    with alone(project):
        leaf = load_pair(project).leaf
        found = due(leaf, settings, now=datetime.now(UTC), at=renewal_advice(project, leaf))
        if found.due or force:
            output.say(f"{settings.app} is renewed: {found.reason if found.due else 'asked for'}")
            rotate(project, options, credentials)
        else:
            output.good(f"{settings.app} is not due: {found.reason}")
            serve_pair(project, credentials)


def due(
    leaf: Certificate, settings: Settings, *, now: datetime, at: datetime | None = None
) -> Renewal:
    """Decide by its age, the authority's advice, and whether it has every name of the app."""
    missing = [name for name in settings.all_names if not leaf.covers(name)]
    if missing:
        return Renewal(due=True, reason=f"{', '.join(missing)} is not among its names")
    return renewal(leaf, now=now, suggested=at)
