"""A change as a trace of OpenTelemetry: a span for the whole, and one for each of its steps."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.notify.plan.text import title

# Numbers of the protocol: a span inside of a program, and how it ended.
_INTERNAL, _OK, _ERROR = 1, 1, 2


@dataclass(frozen=True, slots=True)
class Span:
    """What was done from when to when, in nanoseconds since 1970, and why it failed.

    Only the first line of `problem` is sent: others may be an app's output.
    """

    name: str
    began_ns: int
    ended_ns: int
    problem: str = ""


def trace(
    whole: Span, steps: Sequence[Span], about: Mapping[str, str], hidden: Iterable[str]
) -> bytes:
    """Write the request of a trace, as OTLP's JSON.

    `about` are attributes of the whole. Secrets in `hidden` do not appear. Source:
    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    known = tuple(hidden)
    number, parent = secrets.token_hex(16), secrets.token_hex(8)

    def written(one: Span, own: str, above: str) -> dict[str, object]:
        failed = {"code": _ERROR, "message": title(one.problem.partition("\n")[0], known)}
        return {
            "traceId": number,
            "spanId": own,
            **({"parentSpanId": above} if above else {}),
            "name": title(one.name, known),
            "kind": _INTERNAL,
            "startTimeUnixNano": str(one.began_ns),
            "endTimeUnixNano": str(one.ended_ns),
            "attributes": [] if above else _attributes(about, known),
            "status": failed if one.problem else {"code": _OK},
        }

    spans = [written(whole, parent, "")]
    spans += [written(one, secrets.token_hex(8), parent) for one in steps]
    scope = {"scope": {"name": "corefab"}, "spans": spans}
    resource = {"attributes": _attributes({"service.name": "corefab"}, ())}
    found = {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
    return json.dumps(found, ensure_ascii=False).encode()


def _attributes(values: Mapping[str, str], hidden: Iterable[str]) -> list[dict[str, object]]:
    known = tuple(hidden)
    return [
        {"key": key, "value": {"stringValue": title(value, known)}}
        for key, value in values.items()
        if value
    ]
