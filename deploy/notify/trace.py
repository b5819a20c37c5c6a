"""Send the trace of a change to the endpoint of OpenTelemetry; what fails is a warning."""

from collections.abc import Callable, Sequence
from threading import Thread
from urllib.parse import unquote

from deploy.console import output
from deploy.errors import DeployError
from deploy.notify.plan.render import Request
from deploy.notify.plan.trace import Span, trace
from deploy.notify.post import post
from deploy.notify.tell import secrets_of
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.workstation.sources import fetch

_LONGEST_SECONDS = 5.0
_FETCH_SECONDS = 5.0
_HINT = "are OTLP_ENDPOINT, OTLP_HEADERS and OTLP_ROOT right, and does the endpoint take traces?"


def send_trace(project: Project, whole: Span, steps: Sequence[Span], about: dict[str, str]) -> None:
    """Send the spans of a change where OTLP_SEND has `traces`. It waits for 5 s at most."""
    settings = project.settings
    if not settings.otlp_endpoint or "traces" not in settings.otlp_send:
        return
    problems: list[str] = []

    def send() -> None:
        try:
            headers = _headers(settings)
            # A message may have the token alone, without its kind, and not percent-encoded.
            parts = (part for one in headers.values() for part in (one, one.rpartition(" ")[2]))
            body = trace(whole, steps, about, (*secrets_of(settings), *parts))
            request = Request("POST", f"{settings.otlp_endpoint}/v1/traces", body)
            post(request, headers, hint=_HINT, root=project.otlp_root)
        except DeployError as error:
            problems.append(error.message)

    if not _ended(send):
        problems.append(f"the endpoint has not answered for {_LONGEST_SECONDS:.0f} s")
    for one in problems:
        output.warn(f"trace not sent: {one}; {_HINT}")


def _ended(work: Callable[[], None]) -> bool:
    """Work in a thread, since names are looked up for as long as the system likes."""
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(_LONGEST_SECONDS)
    return not thread.is_alive()


def _headers(settings: Settings) -> dict[str, str]:
    """Read OTLP_HEADERS, which are percent-encoded and separated by commas.

    Raises:
        DeployError: when they cannot be fetched, or are none.
    """
    source = next((one for one in settings.sources if one.key == "OTLP_HEADERS"), None)
    text = fetch(source, None, seconds=_FETCH_SECONDS) if source else ""
    found: dict[str, str] = {}
    for one in filter(None, map(str.strip, text.split(","))):
        name, given, value = one.partition("=")
        found[name.strip()] = unquote(value.strip())
        if not given or not found[name.strip()].isprintable():
            raise DeployError("OTLP_HEADERS are no headers such as Authorization=Bearer%20…")
    return found
