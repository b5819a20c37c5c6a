"""An app as a visitor meets it: the certificate it shows, the page it gives."""

import contextlib
import http.client
import socket
import ssl
from dataclasses import dataclass

from certs.certificate import Certificate, from_der
from certs.errors import CertError
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint

_PATIENCE_SECONDS = 5.0
_HEALTHY = range(200, 300)
_LONGEST_PAGE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """One try: the certificate shown, the status of the page, or what went wrong."""

    certificate: Certificate | None
    status: int
    trouble: str

    def proves(self, fingerprint: str) -> bool:
        """Tell whether the page is healthy and the certificate the expected one."""
        return not self.complaint(fingerprint)

    def complaint(self, fingerprint: str) -> str:
        """Say what is wrong with the answer; nothing when it proves the release."""
        if self.trouble:
            return self.trouble
        if self.certificate and self.certificate.sha256 != fingerprint:
            found = self.certificate
            return (
                f"shows certificate {found.sha256[:16]} ({found.common_name}), not the expected one"
            )
        if self.status not in _HEALTHY:
            return f"the health path answers {self.status}"
        return ""


def ask(endpoint: Endpoint, path: str, *, patience_seconds: float = _PATIENCE_SECONDS) -> Answer:
    """Ask once for a page; the certificate is read, whatever it is, and judged by the caller."""
    # The expected certificate is compared whole, by its hash: stricter than a chain's verdict.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    certificate = None
    try:
        with contextlib.closing(_socket(endpoint, context, patience_seconds)) as tls:
            certificate = from_der(tls.getpeercert(binary_form=True) or b"", source=str(endpoint))
            return Answer(certificate, _status(tls, endpoint, path), "")
    except (OSError, http.client.HTTPException, CertError) as error:
        return Answer(certificate, 0, f"{type(error).__name__}: {error}")


def served_certificate(endpoint: Endpoint) -> Certificate:
    """Read the certificate that a live handshake shows.

    Raises:
        DeployError: when there is no handshake.
    """
    answer = ask(endpoint, "/")
    if answer.certificate is None:
        raise DeployError(f"{endpoint} gives no certificate: {answer.trouble}")
    return answer.certificate


def _socket(endpoint: Endpoint, context: ssl.SSLContext, patience_seconds: float) -> ssl.SSLSocket:
    plain = socket.create_connection((endpoint.address, endpoint.port), timeout=patience_seconds)
    try:
        plain.getpeername()  # ssl would leave its socket open where the other end is gone by now
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise


def _status(tls: ssl.SSLSocket, endpoint: Endpoint, path: str) -> int:
    connection = http.client.HTTPConnection(endpoint.host)
    connection.sock = tls
    connection.request("GET", path, headers={"User-Agent": "corefab", "Connection": "close"})
    with connection.getresponse() as response:
        response.read(_LONGEST_PAGE)
        return response.status
