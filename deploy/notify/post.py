"""Send a request to a receiver, with limited patience; no message of ours has its address."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from deploy.errors import DeployError
from deploy.notify.plan.render import Request

_CONNECT_SECONDS, _ANSWER_SECONDS = 4, 5
# What a receiver says of one message; anything else is about all of them.
_REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class RefusedError(DeployError):
    """A receiver refuses a message, and may take another."""


def post(
    request: Request, headers: Mapping[str, str], *, hint: str, root: Path | None = None
) -> None:
    """Send a request; a redirect is not followed, since a token would go along.

    With `root`, certificates of that authority are trusted, and no others.

    Raises:
        RefusedError: when the receiver refuses this message.
        DeployError: when it does not answer, or answers something other than 2xx.
    """
    import requests  # noqa: PLC0415 -- only where there is something to send

    host = urlsplit(request.url).hostname
    with requests.Session() as session:
        # Or requests would take a login from ~/.netrc.
        session.auth = lambda prepared: prepared
        try:
            with session.request(
                request.method,
                request.url,
                data=request.body,
                headers={"Content-Type": "application/json", "User-Agent": "corefab", **headers},
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                allow_redirects=False,
                verify=str(root) if root else True,
                stream=True,
            ) as answer:
                status = answer.status_code
        except (requests.RequestException, OSError, ValueError) as error:
            # Not its text, which has the address.
            raise DeployError(f"{host} cannot be reached: {type(error).__name__}", hint) from None
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        kind = RefusedError if status in _REFUSED else DeployError
        raise kind(f"{host} answers {status}", hint)
