"""Get a certificate from the ACME authority that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from certs.acme.account import Account, Binding, Server
from certs.acme.order import Solver, obtain, suggested_renewal
from certs.certificate import Certificate
from certs.chain import Chain
from certs.errors import CertError
from certs.keyfile import PrivateKey
from certs.signing_request import signing_request
from deploy.app.credentials import Credentials
from deploy.app.own_keys import own_key
from deploy.app.tls import material
from deploy.certificate.challenge import DnsCommand, NodeResponder
from deploy.console import output
from deploy.node import session
from deploy.project import Project


def acme_chain(project: Project, key: PrivateKey, credentials: Credentials) -> Chain:
    """Get a certificate of CERT_NAMES for `key`.

    The account's key is made at first use, and stored encrypted with AUTHORITY_PASSWORD.

    Raises:
        CertError: when the authority refuses or cannot be reached.
        DeployError: when a challenge cannot be set up.
    """
    settings = project.settings
    hmac_key = settings.acme_hmac_key
    account = Account(
        own_key(material(project).account_key(settings.acme_directory), credentials),
        email=settings.acme_email,
        terms_agreed=settings.acme_terms_agreed == "true",
        binding=None
        if hmac_key is None
        else Binding(settings.acme_key_id, hmac_key.get_secret_value()),
    )
    request = signing_request(settings.all_names, key=key)
    with _solver(project) as solver:
        output.say(f"asking {settings.acme_directory} for {', '.join(settings.all_names)}")
        return obtain(_server(project), account, request, solver)


def renewal_advice(project: Project, certificate: Certificate) -> datetime | None:
    """Ask an ACME authority when to renew; None when it does not say or cannot be reached."""
    if project.settings.cert_from != "acme":
        return None
    try:
        return suggested_renewal(_server(project), certificate)
    except CertError as error:
        output.warn(f"the authority gives no renewal time: {error.message}")
        return None


def _server(project: Project) -> Server:
    return Server(project.settings.acme_directory, project.acme_root)


@contextmanager
def _solver(project: Project) -> Iterator[Solver]:
    if project.settings.acme_challenge == "dns-01":
        yield DnsCommand(project.settings.acme_dns_command)
        return
    with session.open_session(project) as remote:
        yield NodeResponder(remote)
