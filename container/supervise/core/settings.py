"""The core's configuration: a policy for each worker, and a few settings of its own."""

from __future__ import annotations


class Policy:
    """How one worker is run, watched, restarted and stopped; times in seconds.

    `probe` is empty for heartbeats, a URL (http, https, tcp), `none`, or an argv.
    """

    name: str
    command: tuple[str, ...]
    probe: str | tuple[str, ...]
    interval: float
    missed: int
    timeout: float
    start: float
    grace: float
    restart: str
    reload: bool
    crash_deaths: int
    crash_seconds: float
    backoff_first: float
    backoff_max: float
    memory: int
    uid: int
    gid: int
    directory: str
    environment: dict[str, str]
    limits: dict[str, int]
    listen: bool

    def __init__(self, values: dict[str, object]) -> None:
        vars(self).update(values)


class Settings:
    """The whole run, as the launcher checked it; without systemd `notify` is "", `watchdog` 0."""

    workers: tuple[Policy, ...]
    notify: str
    watchdog: float
    stop: float
    socket: str
    reload_command: tuple[str, ...]
    listen_sockets: int
    listen_names: str

    def __init__(self, values: dict[str, object], workers: list[dict[str, object]]) -> None:
        vars(self).update(values)
        self.workers = tuple(Policy(worker) for worker in workers)
