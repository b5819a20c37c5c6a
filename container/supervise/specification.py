"""Check each worker's configuration, from TOML tables and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from container.supervise import values


def worker(table: Mapping[str, object], where: str, problems: list[str]) -> dict[str, object]:
    """Check one worker's table; `problems` receives every problem, each with its place."""
    found: dict[str, object] = {name: default for name, (_, default) in KEYS.items()}
    for name, value in table.items():
        if name not in KEYS:
            near = get_close_matches(name, KEYS, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{where}: unknown key {name!r}{meant}")
            continue
        try:
            read, _ = KEYS[name]
            found[name] = read(value)
        except values.WrongValueError as error:
            problems.append(f"{where}: {name} = {value!r}: {error}")
    problems += [f"{where}: {name} is missing" for name in ("name", "command") if not found[name]]
    user = found.pop("user")
    found["uid"], found["gid"] = user if isinstance(user, tuple) else (-1, -1)
    return found


def shortest_watchdog(worker: Mapping[str, Any]) -> float:
    """Compute the shortest WatchdogSec with which a worker can be restarted in time.

    The watchdog is not fed from the moment a worker is found hung until its successor is
    healthy: its grace, the longest delay before the restart with its jitter, and its start. It
    was fed last up to a third of WatchdogSec before that, so two thirds must be enough.
    """
    return 1.5 * float(worker["grace"] + 1.25 * worker["backoff_max"] + worker["start"])


# The keys of a worker, each with its reader and its default.
KEYS: Mapping[str, tuple[Callable[[object], object], object]] = {
    "name": (values.name, ""),
    "command": (values.command, ()),
    "probe": (values.probe, ""),
    "interval": (values.seconds(0.05), 10.0),
    "missed": (values.count(1), 3),
    "timeout": (values.seconds(0.05), 5.0),
    "start": (values.seconds(0.1), 30.0),
    "grace": (values.seconds(0.0), 5.0),
    "restart": (values.choice("always", "on-failure", "never"), "always"),
    "reload": (values.flag, True),
    "crash_deaths": (values.count(0), 3),
    "crash_seconds": (values.seconds(0.0), 5.0),
    "backoff_first": (values.seconds(0.0), 0.1),
    "backoff_max": (values.seconds(0.0), 10.0),
    "memory": (values.size, 0),
    "user": (values.user, None),
    "directory": (values.text, ""),
    "environment": (values.texts, {}),
    "limits": (values.limits, {}),
    "listen": (values.flag, True),
}
