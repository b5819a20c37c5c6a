"""Get a certificate without serving it yet, or make a signing request."""

from datetime import UTC, datetime

from certs.chain import read_chain
from certs.keyfile import encrypt, new_key
from certs.pair import replace
from certs.signing_request import signing_request
from certs.store import write_public, write_secret
from deploy.app.credentials import Credentials
from deploy.app.tls import alone, material
from deploy.certificate.source import CertOptions, new_pair
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import CERT_PASS


def cert_issue(project: Project, options: CertOptions, credentials: Credentials) -> None:
    """Get a key and a certificate for CERT_NAMES; keep the previous pair.

    Raises:
        CertError: for a password that does not open the authority's key.
        DeployError: when CERT_PASSWORD is not set and there is no terminal.
    """
    kept = material(project)
    with alone(project):
        pair = new_pair(project, options, credentials)
        replace(kept, pair, now=datetime.now(UTC))
    leaf = read_chain(pair.chain, source="the new certificate").leaf
    output.good(f"{leaf.subject} until {leaf.not_after:%Y-%m-%d}, SHA-256 {leaf.sha256}")
    output.say(f"  certificate {kept.certificate.relative_to(project.folder)}")
    output.say(f"  key (encrypted) {kept.key.relative_to(project.folder)}")
    if project.settings.cert_from == "own" and not options.certificate:
        output.say(f"  visitors trust {kept.authority_certificate.relative_to(project.folder)}")


def cert_request(project: Project, credentials: Credentials) -> None:
    """Make a key and a signing request for an outside authority; store the key encrypted.

    Raises:
        CertError: for names that cannot be in a certificate.
    """
    password = credentials.value(CERT_PASS).encode()
    key = new_key(project.settings.cert_key)
    request = signing_request(project.settings.all_names, key=key)
    kept = material(project)
    write_secret(kept.request_key, encrypt(key, password))
    write_public(kept.request, request)
    output.good(f"{kept.request.relative_to(project.folder)}: send it to the authority")
    output.say("  then serve its answer: fab cert-rotate-https --certificate FILE")
