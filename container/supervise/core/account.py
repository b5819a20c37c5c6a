"""Describe the state for `supervise status`, Prometheus and systemd's STATUS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from container.supervise.core.child import ENDED, HEALTHY, Child
from container.supervise.core.watch import resident

_HTTP = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n"


def sentence(children: Sequence[Child]) -> str:
    """Describe the workers in one line, unhealthy ones first."""
    unwell = [child for child in children if child.state not in {HEALTHY, ENDED}]
    words = [f"{child.policy.name} is {_words(child)}" for child in unwell]
    well = sum(child.state == HEALTHY for child in children)
    restarts = sum(child.restarts for child in children)
    again = f", restarts: {restarts}" if restarts else ""
    return "; ".join([*words, f"{well} of {len(children)} workers healthy{again}"])


def report(children: Iterable[Child], now: float, state: str, uptime: float) -> str:
    """Write one line a fact: its kind, then name=value pairs, separated by tabs."""
    lines = [_line("supervisor", state=state, uptime=f"{uptime:.1f}")]
    for child in children:
        policy = child.policy
        lines.append(
            _line(
                "worker", name=policy.name, state=child.state, pid=child.pid,
                uptime=f"{_age(child, child.watch.started, now):.1f}",
                last_sign=f"{_age(child, child.watch.last_sign, now):.1f}",
                check=policy.probe if isinstance(policy.probe, str) else "command",
                memory=resident(child.pid), restarts=child.restarts,
            )
        )  # fmt: skip
        lines += [_line("reason", name=policy.name, text=text) for text in child.reasons]
    return "\n".join(lines) + "\n"


def metrics(children: Sequence[Child], now: float, uptime: float) -> str:
    """Write the figures as Prometheus text with the HTTP head that a scraper expects."""
    families = (
        ("supervise_worker_healthy", "gauge", [float(one.state == HEALTHY) for one in children]),
        ("supervise_worker_restarts_total", "counter", [one.restarts for one in children]),
        ("supervise_worker_sign_age_seconds", "gauge",
         [_age(one, one.watch.last_sign, now) for one in children]),
        ("supervise_worker_resident_bytes", "gauge", [resident(one.pid) for one in children]),
    )  # fmt: skip
    lines = ["# TYPE supervise_uptime_seconds gauge", f"supervise_uptime_seconds {uptime:.3f}"]
    for name, kind, values in families:
        lines.append(f"# TYPE {name} {kind}")
        for child, value in zip(children, values):
            lines.append(f'{name}{{worker="{child.policy.name}"}} {value:g}')
    body = "\n".join(lines) + "\n"
    return _HTTP.format(len(body)) + body


def _words(child: Child) -> str:
    last = f" ({child.reasons[-1]})" if child.reasons else ""
    return f"{child.state}{last}"


def _age(child: Child, since: float, now: float) -> float:
    return now - since if child.pid else 0.0


def _line(kind: str, **facts: object) -> str:
    pairs = [f"{name}={_clean(str(value))}" for name, value in facts.items()]
    return "\t".join([kind, *pairs])


def _clean(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)
