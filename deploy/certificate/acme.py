"""A certificate from an ACME authority, by the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from certs.acme.account import Account, Binding, Server
from certs.acme.challenge import Solver
from certs.acme.order import obtain, suggested_renewal
from certs.certificate import Certificate
from certs.chain import Chain
from certs.errors import CertError
from certs.keyfile import PrivateKey, decrypt, encrypt, new_key
from certs.signing_request import signing_request
from certs.store import read_secret, write_secret
from deploy import node, report
from deploy.certificate.dns_challenge import Zone
from deploy.certificate.http_challenge import NodePage
from deploy.settings.model import Settings
from deploy.tls import material


def acme_chain(folder: Path, settings: Settings, key: PrivateKey, password: bytes) -> Chain:
    """Prove CERT_NAMES and get a certificate for `key`.

    The account's key is made when there is none, and rests encrypted with the same password.

    Raises:
        CertError: when the authority refuses or cannot be reached.
        DeployError: when a name cannot be shown.
    """
    account = Account(
        _account_key(folder, settings, password),
        email=settings.acme_email,
        terms_agreed=settings.acme_terms_agreed == "true",
        binding=_binding(settings),
    )
    request = signing_request(settings.cert_names, key=key)
    with _solver(folder, settings) as solver:
        report.say(f"asking {settings.acme_directory} for {', '.join(settings.cert_names)}")
        return obtain(server(folder, settings), account, request, solver)


def server(folder: Path, settings: Settings) -> Server:
    """Name the authority."""
    root = settings.acme_root
    return Server(settings.acme_directory, folder / root.expanduser() if root else None)


def advised(folder: Path, settings: Settings, certificate: Certificate) -> datetime | None:
    """Ask when the authority would like a renewal; None where it does not say or is away."""
    try:
        return suggested_renewal(server(folder, settings), certificate)
    except CertError as error:
        report.warn(f"no advice on when to renew: {error.message}")
        return None


def _account_key(folder: Path, settings: Settings, password: bytes) -> PrivateKey:
    path = material(folder, settings).account_key(settings.acme_directory)
    if path.exists():
        return decrypt(read_secret(path), password, source=str(path.relative_to(folder)))
    key = new_key()
    write_secret(path, encrypt(key, password))
    return key


def _binding(settings: Settings) -> Binding | None:
    if settings.acme_hmac_key is None:
        return None
    return Binding(settings.acme_key_id, settings.acme_hmac_key.get_secret_value())


@contextmanager
def _solver(folder: Path, settings: Settings) -> Iterator[Solver]:
    if settings.acme_challenge == "dns-01":
        yield Zone(settings.acme_dns_command)
        return
    with node.reached(folder, settings) as remote:
        yield NodePage(remote)
