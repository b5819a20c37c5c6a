"""Watchdogs that no process feeds in time: systemd restarts a healthy app again and again."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding, Rhythm
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import Setting

_POLICY = "SUPERVISE_SET"
_INTERVAL = "WATCHDOG_USEC"
_REVIVING = ("always", "on-failure", "on-watchdog", "on-abnormal")


def check(unit: Unit, facts: Facts) -> Iterator[Finding]:
    """Find watchdogs that end a healthy service."""
    policy = unit.environment().get(_POLICY)
    rhythm = facts.rhythm(policy.value if policy else "")
    if policy and rhythm.problems:
        yield Finding(
            "error", "supervisor-policy", policy.file, policy.line, policy.text,
            f"the supervisor refuses to start with it: {'; '.join(rhythm.problems)}",
            "correct it; docs/supervision.md lists the keys and their values",
        )  # fmt: skip
    limit = unit.seconds("Service", "WatchdogSec")
    setting = unit.last("Service", "WatchdogSec")
    if setting is None or not limit or limit == float("inf"):
        return
    if not _is_fed(unit):
        yield _unfed(unit, setting)
        return
    yield from _no_restart(unit, setting)
    if unit.kind == "container":
        yield from _interval(unit, setting, limit)
        yield from _rhythm(setting, limit, rhythm)


def _is_fed(unit: Unit) -> bool:
    if unit.kind == "container":
        return unit.word("Container", "Notify").lower() in {"true", "yes", "1", "on"}
    if unit.kind != "service":
        return False
    notifies = unit.word("Service", "Type") in {"notify", "notify-reload"}
    return notifies or unit.word("Service", "NotifyAccess", "none") != "none"


def _unfed(unit: Unit, setting: Setting) -> Finding:
    quadlet = unit.kind == "container"
    notify = unit.word("Container", "Notify") or "no Notify="
    return Finding(
        "error", "watchdog-unfed", setting.file, setting.line,
        f"{setting.text} with {f'Notify={notify}' if '=' not in notify else notify}"
        if quadlet else f"{setting.text} without Type=notify",
        "no process can reach systemd's notify socket to feed the watchdog: systemd"
        f" ends the healthy service every {setting.value}",
        "Notify=true in [Container], and an app that sends WATCHDOG=1" if quadlet
        else "Type=notify or NotifyAccess=main, or no WatchdogSec",
    )  # fmt: skip


def _no_restart(unit: Unit, setting: Setting) -> Iterator[Finding]:
    restart = unit.word("Service", "Restart", "no")
    if restart not in _REVIVING:
        yield Finding(
            "warning", "watchdog-no-restart", setting.file, setting.line,
            f"{setting.text} with Restart={restart}",
            "what the watchdog ends stays down",
            "Restart=on-failure",
        )  # fmt: skip


def _interval(unit: Unit, setting: Setting, limit: float) -> Iterator[Finding]:
    interval = unit.environment().get(_INTERVAL)
    if interval is None:
        if unit.all("Container", "EnvironmentFile"):
            return
        yield Finding(
            "error", "watchdog-interval", setting.file, setting.line,
            f"{setting.text} without Environment={_INTERVAL}=",
            "podman passes no interval on: an app that asks for it, as our supervisor does, feeds"
            " no watchdog",
            f"Environment={_INTERVAL}={limit * 1e6:.0f} in [Container]",
        )  # fmt: skip
    elif not _is_number(interval.value) or int(interval.value) == 0:
        yield Finding(
            "error", "watchdog-interval", interval.file, interval.line,
            f"{interval.text} with {setting.text}",
            "the supervisor feeds no watchdog by an interval of nothing, and refuses to start with"
            " one that is no number",
            f"{_INTERVAL}={limit * 1e6:.0f}, the same time in microseconds",
        )  # fmt: skip
    elif int(interval.value) > limit * 1e6:
        yield Finding(
            "error", "watchdog-interval", interval.file, interval.line,
            f"{interval.text} is longer than {setting.text}",
            "the app feeds the watchdog by the longer time, and systemd ends it by the shorter",
            f"{_INTERVAL}={limit * 1e6:.0f}, the same time in microseconds",
        )  # fmt: skip


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _rhythm(setting: Setting, limit: float, rhythm: Rhythm) -> Iterator[Finding]:
    # The image may set other values than the supervisor's defaults.
    known = "interval" in rhythm.said
    guess = "" if known else " (the usual one; this unit sets none)"
    if limit <= rhythm.interval:
        yield Finding(
            "error" if known else "warning", "watchdog-too-short", setting.file, setting.line,
            f"{setting.text} is not more than the probe interval of {rhythm.interval:g} s{guess}",
            "the whole service is ended before the supervisor could find one hung worker",
            f"more than {rhythm.shortest_watchdog:g} s, or a shorter interval in {_POLICY}",
        )  # fmt: skip
    elif limit <= rhythm.shortest_watchdog and rhythm.said:
        yield Finding(
            "warning", "watchdog-short", setting.file, setting.line,
            f"{setting.text} is not more than the {rhythm.shortest_watchdog:g} s that restarting"
            " a worker may take, by this unit's policy and the usual values of the rest",
            "systemd may end the service while it recovers",
            f"more than {rhythm.shortest_watchdog:g} s, or shorter times in {_POLICY}",
        )  # fmt: skip
