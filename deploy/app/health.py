"""Check over HTTPS, as a visitor would, whether an app is healthy and shows its certificate.

Every command has one rule: each address that takes connections has to be healthy, and one has to
take them. As a browser does, the check passes over an address that takes none, with a warning.
"""

import contextlib
import http.client
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from certs.certificate import Certificate, from_der
from certs.errors import CertError
from deploy.console import output
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint

_TIMEOUT_SECONDS = 5.0
_HEALTHY = range(200, 300)
_LONGEST_PAGE = 1 << 16
_LONGEST_ERROR = 200
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check: the certificate shown, the HTTP status, or the error that ended it.

    `reached` tells whether the address took a connection.
    """

    certificate: Certificate | None
    status: int
    error: str
    reached: bool = True

    def problem(self, fingerprint: str, host: str = "") -> str:
        """Describe what is wrong; empty for a healthy page behind the expected certificate.

        Without a fingerprint, any certificate will do that is valid now and for this host.
        """
        if self.error:
            return self.error
        if found := self.certificate:
            shown = f"shows certificate {found.sha256[:16]} ({found.common_name})"
            if fingerprint and found.sha256 != fingerprint:
                return f"{shown}, not the expected one"
            if not fingerprint and not found.covers(host):
                return f"{shown}, which is not for {host}"
            if not fingerprint and not found.not_before <= datetime.now(UTC) <= found.not_after:
                return f"{shown}, which is not valid now"
        if self.status not in _HEALTHY:
            return f"the health path answers {self.status}"
        return ""


def check(endpoint: Endpoint, path: str, most_seconds: float = _TIMEOUT_SECONDS) -> HealthCheck:
    """Fetch a page once. Any certificate is accepted here; `problem` compares it."""
    # The expected certificate is compared whole, by its hash: stricter than verifying its chain.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    certificate, plain = None, None
    seconds = min(most_seconds, _TIMEOUT_SECONDS)
    until = time.monotonic() + seconds
    try:
        plain = socket.create_connection((endpoint.address, endpoint.port), timeout=seconds)
        with plain, _ended(plain, until):
            plain.getpeername()  # ssl would leave its socket open if the other end has gone already
            if not endpoint.tls:
                return HealthCheck(None, _status(plain, endpoint, path), "")
            with context.wrap_socket(plain, server_hostname=endpoint.host) as tls:
                shown = tls.getpeercert(binary_form=True) or b""
                certificate = from_der(shown, source=str(endpoint))
                return HealthCheck(certificate, _status(tls, endpoint, path), "")
    except (OSError, http.client.HTTPException, CertError) as error:
        text = f"{type(error).__name__}: {error}".strip()
        return HealthCheck(certificate, 0, text[:_LONGEST_ERROR], plain is not None)


@dataclass(frozen=True, slots=True)
class Visit:
    """Checks of all addresses of an app: what is wrong (empty for nothing), and where.

    `unreached` describes the addresses that take no connections, where another does.
    """

    where: Endpoint
    problem: str
    unreached: tuple[str, ...]


def visit(
    endpoints: Sequence[Endpoint], path: str, fingerprint: str, most_seconds: float = math.inf
) -> Visit:
    """Check every address of an app once."""
    counting, unreached = checks(endpoints, path, most_seconds)
    for one, result in counting.items():
        if problem := result.problem(fingerprint, one.host):
            return Visit(one, problem, unreached)
    return Visit(endpoints[0], "", unreached)


def checks(
    endpoints: Sequence[Endpoint], path: str, most_seconds: float = math.inf
) -> tuple[dict[Endpoint, HealthCheck], tuple[str, ...]]:
    """Check every address once; return the checks that count, and texts about the others."""
    found = {one: check(one, path, most_seconds) for one in endpoints}
    reached = {one: result for one, result in found.items() if result.reached}
    return reached or found, tuple(
        f"{one} takes no connections ({result.error}): visitors reach the app at its other "
        "addresses only"
        for one, result in found.items()
        if reached and not result.reached
    )


def wait_until_healthy(
    endpoints: Sequence[Endpoint],
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
    while True:
        found = visit(endpoints, path, fingerprint, max(1, until - time.monotonic()))
        if not found.problem:
            for line in found.unreached:
                output.warn(line)
            return
        reason = died()
        if reason or time.monotonic() > until:
            ended = reason or f"not healthy within {timeout_seconds:.0f} s"
            raise DeployError(
                f"{found.where}{path}: {ended}: {found.problem}",
                "read `fab logs`; HEALTH_PATH and HEALTH_TIMEOUT_SECONDS set what is checked and "
                "for how long",
            )
        # An endpoint does not report that it became ready: polling is the only way.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


@contextlib.contextmanager
def _ended(plain: socket.socket, until: float) -> Iterator[None]:
    """End a connection at a time, whatever the block waits for.

    A timeout of the socket is not enough: while a peer sends messages that TLS ignores, OpenSSL
    reads on, and returns to nothing that looks at a clock.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            same.shutdown(socket.SHUT_RDWR)

    # The handshake takes the socket over: `same` stays.
    with plain.dup() as same:
        timer = threading.Timer(until - time.monotonic(), end)
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
    if late.is_set():
        raise TimeoutError("the answer timed out")


def _status(connected: socket.socket, endpoint: Endpoint, path: str) -> int:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.sock = connected
    headers = {"Host": endpoint.authority, "User-Agent": "corefab", "Connection": "close"}
    connection.request("GET", path, headers=headers)
    with connection.getresponse() as response:
        response.read(_LONGEST_PAGE)
        return response.status
