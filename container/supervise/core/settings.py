"""The core's configuration: a policy for each worker, and a few settings of its own."""

from __future__ import annotations


class Policy:
    """How one worker is run, watched, restarted and stopped; times in seconds.

    `probe` is empty for heartbeats, a URL (http, https, tcp), `none`, or an argv.
    """

    __slots__ = (
        "backoff_first", "backoff_max", "command", "crash_deaths", "crash_seconds", "directory",
        "environment", "gid", "grace", "interval", "limits", "listen", "memory", "missed", "name",
        "probe", "reload", "restart", "start", "timeout", "uid",
    )  # fmt: skip

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
        for key in self.__slots__:
            setattr(self, key, values[key])


class Settings:
    """The whole run; `notify` is empty and `watchdog` 0 without systemd."""

    __slots__ = ("listen_names", "listen_sockets", "notify", "reload_command", "socket",
                 "stop", "watchdog", "workers")  # fmt: skip

    workers: tuple[Policy, ...]
    notify: str
    watchdog: float
    stop: float
    socket: str
    reload_command: tuple[str, ...]
    listen_sockets: int
    listen_names: str

    def __init__(self, values: dict[str, object], workers: tuple[Policy, ...]) -> None:
        self.workers = workers
        for key in self.__slots__:
            if key != "workers":
                setattr(self, key, values[key])


def read_settings(values: dict[str, object], workers: list[dict[str, object]]) -> Settings:
    """Make settings from the values that the launcher checked."""
    return Settings(values, tuple(Policy(worker) for worker in workers))
