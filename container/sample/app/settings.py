"""The sample's settings, from the environment that its unit gives the container."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from container.entrypoint.key import KeyFiles
from container.errors import ContainerError

_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """All settings of the sample; `watchdog_seconds` is 0 without a watchdog.

    With `port` it serves plain HTTP there, and has no certificate: a proxy ends TLS.
    """

    app: str
    version: str
    release: str
    host: str
    addresses: tuple[str, ...]
    port: int | None
    https_port: int
    http_port: int | None
    public_https_port: int
    health_path: str
    files: str
    tls: KeyFiles
    plain_key: str
    notify_socket: str
    watchdog_seconds: float
    quiet: bool


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; every problem is reported in one ContainerError (EX_CONFIG)."""
    problems: list[str] = []
    settings = Settings(
        app=environment.get("APP", "sample"),
        version=environment.get("SAMPLE_VERSION", "unknown"),
        release=environment.get("RELEASE", ""),
        host=socket.gethostname(),
        addresses=tuple(environment.get("BIND", "::,0.0.0.0").split(",")),
        port=plain_port(environment, problems),
        https_port=_number(environment, "HTTPS_PORT", 8443, problems, highest=_HIGHEST_PORT),
        http_port=_number(environment, "HTTP_PORT", 0, problems, highest=_HIGHEST_PORT) or None,
        public_https_port=_number(
            environment, "PUBLIC_HTTPS_PORT", 443, problems, highest=_HIGHEST_PORT
        ),
        health_path=environment.get("HEALTH_PATH", "/health"),
        files=environment.get("FILES_DIR", "/srv/files"),
        tls=KeyFiles(environment),
        plain_key=environment.get("TLS_KEY", ""),
        notify_socket=environment.get("NOTIFY_SOCKET", ""),
        watchdog_seconds=_number(environment, "WATCHDOG_USEC", 0, problems) / 1e6,
        quiet=environment.get("QUIET", "0") not in {"", "0"},
    )
    if not settings.health_path.startswith("/"):
        problems.append(f"HEALTH_PATH={settings.health_path!r} must start with /")
    if problems:
        raise ContainerError("; ".join(problems), code=os.EX_CONFIG)
    return settings


def plain_port(environment: Mapping[str, str], problems: list[str]) -> int | None:
    """Return the port for plain HTTP; None where the app ends TLS itself."""
    if environment.get("HTTPS_PORT"):
        return None
    return _number(environment, "PORT", 0, problems, highest=_HIGHEST_PORT) or None


def _number(
    environment: Mapping[str, str],
    name: str,
    default: int,
    problems: list[str],
    *,
    highest: int = 0,
) -> int:
    text = environment.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or (highest and int(text) > highest):
        allowed = f"a number from 0 to {highest}" if highest else "a whole number"
        problems.append(f"{name}={text!r} must be {allowed}")
        return default
    return int(text)
