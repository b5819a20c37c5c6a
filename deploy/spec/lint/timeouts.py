"""Timeouts of systemd that end before those of podman or the app."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import Setting, seconds

_FOREVER = float("inf")
_USUAL_SECONDS = 90.0  # systemd's DefaultTimeoutStartSec and DefaultTimeoutStopSec
_USUAL_STOP_SECONDS = 10.0  # podman's


def check(unit: Unit, facts: Facts) -> Iterator[Finding]:
    """Find a start or a stop that systemd ends too early."""
    if unit.kind == "container":
        yield from _start(unit, facts)
        yield from _stop(unit)


def start_limit(unit: Unit) -> float:
    """Return after how many seconds systemd gives up a start."""
    return _limit(unit, "Start")[0]


def _start(unit: Unit, facts: Facts) -> Iterator[Finding]:
    limit, setting = _limit(unit, "Start")
    place = setting or unit.last("Container", "HealthStartPeriod")
    period = unit.seconds("Container", "HealthStartPeriod")
    waits = unit.word("Container", "Notify") == "healthy"
    if place and period is not None and limit <= period:
        yield Finding(
            "error" if waits else "warning", "start-timeout", place.file, place.line,
            f"TimeoutStartSec is {limit:g} s, HealthStartPeriod is {period:g} s",
            "systemd gives up the start while the app may still be unhealthy by its own account,"
            " and starts it again and again",
            f"TimeoutStartSec= of more than {period:g} s and the first check",
        )  # fmt: skip
    policy = unit.environment().get("SUPERVISE_SET")
    if policy and unit.word("Container", "Notify") == "true":
        rhythm = facts.rhythm(policy.value)
        start = rhythm.start
        if limit <= start and "start" in rhythm.said:
            yield Finding(
                "error", "start-timeout", policy.file, policy.line,
                f"TimeoutStartSec is {limit:g} s, a worker may take {start:g} s to be ready",
                "systemd gives up the start while a worker is still within its time",
                f"TimeoutStartSec= of more than {start:g} s for each worker",
            )  # fmt: skip


def _stop(unit: Unit) -> Iterator[Finding]:
    limit, setting = _limit(unit, "Stop")
    own = unit.last("Container", "StopTimeout")
    takes = seconds(own.value) if own else _USUAL_STOP_SECONDS
    place = own or setting
    if place and takes is not None and limit <= takes:
        yield Finding(
            "error", "stop-timeout", place.file, place.line,
            f"StopTimeout is {takes:g} s, TimeoutStopSec is {limit:g} s",
            "systemd kills podman before podman has ended the container: what is left of it"
            " blocks the next start",
            f"TimeoutStopSec= of more than {takes:g} s, or a shorter StopTimeout=",
        )  # fmt: skip


def _limit(unit: Unit, which: str) -> tuple[float, Setting | None]:
    """Read systemd's limit in seconds, and the setting it comes from."""
    keys = (f"Timeout{which}Sec", "TimeoutSec")
    found = [one for one in unit.settings if one.section == "Service" and one.key in keys]
    if not found or not found[-1].value:
        return _USUAL_SECONDS, None
    limit = seconds(found[-1].value)
    return (_USUAL_SECONDS if limit is None else limit or _FOREVER), found[-1]
