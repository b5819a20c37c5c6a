"""Wait until an endpoint is healthy and shows the expected certificate."""

import time
from collections.abc import Callable

from deploy.app.health import ask
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


def prove(
    endpoint: Endpoint,
    path: str,
    fingerprint: str,
    *,
    timeout_seconds: float,
    died: Callable[[], str] = lambda: "",
) -> None:
    """Ask until the answer proves the release; `died` says why waiting longer is useless.

    Raises:
        DeployError: with the last complaint, when time is up or the app died.
    """
    until = time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE_SECONDS
    while complaint := ask(endpoint, path).complaint(fingerprint):
        reason = died()
        if reason or time.monotonic() > until:
            waited = reason or f"not healthy within {timeout_seconds:.0f} s"
            raise DeployError(
                f"{endpoint}{path}: {waited}: {complaint}",
                "read the container's last lines; HEALTH_PATH and HEALTH_TIMEOUT_SECONDS say what "
                "is asked and for how long",
            )
        # A remote endpoint tells nobody when it becomes ready: asking again is all there is.
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
