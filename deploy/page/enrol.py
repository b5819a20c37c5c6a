"""Verb: pin the key of a node, after comparing its fingerprint with the machine's console."""

from certs.envelope import fingerprint as fingerprint_of
from certs.envelope import read_certificates
from certs.store import write_public
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.trust import check_fingerprint
from deploy.page.fetch import CERTIFICATE, fetch
from deploy.project import Project

_MOST_BYTES = 1 << 14


def enrol(project: Project, *, fingerprint: str) -> None:
    """Pin the certificate that the node shows if it has `fingerprint`, or the operator confirms it.

    Raises:
        CertError: when the node shows no certificate.
        DeployError: when it is another one, or no one confirms it.
    """
    address = session.address_of(project)
    pem = fetch(address, CERTIFICATE, _MOST_BYTES)
    found = read_certificates(pem, source=f"what {address} shows")
    if len(found) > 1:
        raise DeployError(
            f"{address} shows {len(found)} certificates", "it has one key: look there"
        )
    check_fingerprint(address, "key", fingerprint_of(found[0]), fingerprint)
    write_public(project.node_certificate, pem)
    place = project.node_certificate.relative_to(project.folder)
    output.good(f"pinned {fingerprint_of(found[0])} for {address} in {place}")
