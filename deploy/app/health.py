"""Check over HTTPS, as a visitor would, whether an app is healthy and shows its certificate."""

import contextlib
import http.client
import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from certs.certificate import Certificate, from_der
from certs.errors import CertError
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint

_TIMEOUT_SECONDS = 5.0
_HEALTHY = range(200, 300)
_LONGEST_PAGE = 1 << 16
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check: the certificate shown, the HTTP status, or the error that ended it."""

    certificate: Certificate | None
    status: int
    error: str

    def problem(self, fingerprint: str) -> str:
        """Describe what is wrong; empty for a healthy page behind the expected certificate."""
        if self.error:
            return self.error
        if self.certificate and self.certificate.sha256 != fingerprint:
            found = self.certificate
            return (
                f"shows certificate {found.sha256[:16]} ({found.common_name}), not the expected one"
            )
        if self.status not in _HEALTHY:
            return f"the health path answers {self.status}"
        return ""


class _BoundedSocket(ssl.SSLSocket):
    """A connection on which all reads together end at a time."""

    until = math.inf

    def recv_into(self, *words: Any, **options: Any) -> int:
        """Read into a buffer."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer timed out")
        self.settimeout(left)
        return super().recv_into(*words, **options)


def check(endpoint: Endpoint, path: str, most_seconds: float = _TIMEOUT_SECONDS) -> HealthCheck:
    """Fetch a page once. Any certificate is accepted here; `problem` compares it."""
    # The expected certificate is compared whole, by its hash: stricter than verifying its chain.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = _BoundedSocket
    certificate = None
    seconds = min(most_seconds, _TIMEOUT_SECONDS)
    try:
        with contextlib.closing(_socket(endpoint, context, seconds)) as tls:
            certificate = from_der(tls.getpeercert(binary_form=True) or b"", source=str(endpoint))
            return HealthCheck(certificate, _status(tls, endpoint, path), "")
    except (OSError, http.client.HTTPException, CertError) as error:
        return HealthCheck(certificate, 0, f"{type(error).__name__}: {error}")


def wait_until_healthy(
    endpoint: Endpoint,
    path: str,
    fingerprint: str,
    *,
    timeout_seconds: float,
    died: Callable[[], str] = lambda: "",
) -> None:
    """Check until the app is healthy; `died` gives a reason to stop waiting, or nothing.

    Raises:
        DeployError: with the last problem, when time is up or the app died.
    """
    until = time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE_SECONDS
    while problem := check(endpoint, path, max(1, until - time.monotonic())).problem(fingerprint):
        reason = died()
        if reason or time.monotonic() > until:
            ended = reason or f"not healthy within {timeout_seconds:.0f} s"
            raise DeployError(
                f"{endpoint}{path}: {ended}: {problem}",
                "read `fab logs`; HEALTH_PATH and HEALTH_TIMEOUT_SECONDS set what is checked and "
                "for how long",
            )
        # An endpoint does not report that it became ready: polling is the only way.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def served_certificate(endpoint: Endpoint) -> Certificate:
    """Read the certificate that a live handshake shows.

    Raises:
        DeployError: when there is no handshake.
    """
    found = check(endpoint, "/")
    if found.certificate is None:
        raise DeployError(f"{endpoint} shows no certificate: {found.error}")
    return found.certificate


def _socket(endpoint: Endpoint, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    plain = socket.create_connection((endpoint.address, endpoint.port), timeout=seconds)
    try:
        plain.getpeername()  # ssl would leave its socket open if the other end has gone already
        tls = context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise
    tls.until = time.monotonic() + seconds  # type: ignore[attr-defined]
    return tls


def _status(tls: ssl.SSLSocket, endpoint: Endpoint, path: str) -> int:
    connection = http.client.HTTPConnection(endpoint.host)
    connection.sock = tls
    connection.request("GET", path, headers={"User-Agent": "corefab", "Connection": "close"})
    with connection.getresponse() as response:
        response.read(_LONGEST_PAGE)
        return response.status
