"""A certificate from an ACME authority, by the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from certs.acme.account import Account, Binding, Server
from certs.acme.challenge import Solver
from certs.acme.order import obtain, suggested_renewal
from certs.certificate import Certificate
from certs.chain import Chain
from certs.errors import CertError
from certs.keyfile import PrivateKey, decrypt, encrypt, new_key
from certs.signing_request import signing_request
from certs.store import read_secret, write_secret
from deploy.app.tls import material
from deploy.certificate.dns_challenge import Zone
from deploy.certificate.http_challenge import NodePage
from deploy.console import output
from deploy.node import session
from deploy.project import Project
from deploy.settings.model import Settings


def acme_chain(project: Project, key: PrivateKey, password: bytes) -> Chain:
    """Prove CERT_NAMES and get a certificate for `key`.

    The account's key is made when there is none, and rests encrypted with the same password.

    Raises:
        CertError: when the authority refuses or cannot be reached.
        DeployError: when a name cannot be shown.
    """
    settings = project.settings
    account = Account(
        _account_key(project, password),
        email=settings.acme_email,
        terms_agreed=settings.acme_terms_agreed == "true",
        binding=_binding(settings),
    )
    request = signing_request(settings.cert_names, key=key)
    with _solver(project) as solver:
        output.say(f"asking {settings.acme_directory} for {', '.join(settings.cert_names)}")
        return obtain(server(project), account, request, solver)


def server(project: Project) -> Server:
    """Name the authority."""
    return Server(project.settings.acme_directory, project.acme_root)


def advised(project: Project, certificate: Certificate) -> datetime | None:
    """Ask when the authority would like a renewal; None where it does not say or is away."""
    try:
        return suggested_renewal(server(project), certificate)
    except CertError as error:
        output.warn(f"no advice on when to renew: {error.message}")
        return None


def _account_key(project: Project, password: bytes) -> PrivateKey:
    path = material(project).account_key(project.settings.acme_directory)
    if path.exists():
        return decrypt(read_secret(path), password, source=str(path.relative_to(project.folder)))
    key = new_key()
    write_secret(path, encrypt(key, password))
    return key


def _binding(settings: Settings) -> Binding | None:
    if settings.acme_hmac_key is None:
        return None
    return Binding(settings.acme_key_id, settings.acme_hmac_key.get_secret_value())


@contextmanager
def _solver(project: Project) -> Iterator[Solver]:
    if project.settings.acme_challenge == "dns-01":
        yield Zone(project.settings.acme_dns_command)
        return
    with session.open_session(project) as remote:
        yield NodePage(remote)
