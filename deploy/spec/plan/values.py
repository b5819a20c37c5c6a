"""The values of the templates' blanks, made from the settings."""

import base64
from collections.abc import Mapping

from deploy.settings.model import (
    ACME_HMAC,
    CERT_PASS,
    NOTIFY_CREDENTIALS,
    OTLP_HEADERS,
    PROXY_APP,
    PULL_LOGIN,
    Settings,
)
from deploy.settings.types import FirewallPort
from deploy.spec.plan.addresses import address_values, app_uid, subnets, subnets_of
from deploy.spec.plan.pull import (
    PullFiles,
    bundle_values,
    metrics_values,
    notice_values,
    os_health_values,
    otlp_values,
    pull_values,
    status_values,
)
from deploy.spec.plan.route import SERVED_METRICS, RouteFiles, proxy_values, route_values

# Zincati knows two strategies; switching updates off is a flag of its own.
_STRATEGY_WHEN_OFF = "immediate"
_START_MARGIN_SECONDS = 30
# The name that Fedora CoreOS gives its boot disk, and the partition number after its own four.
BOOT_DISK = "/dev/disk/by-id/coreos-boot-disk"
_NEXT_TO_ROOT = "5"
# The port that sshd listens at on a node; NODE_PORT may be a forwarded one.
_SSH_PORT = "22"
# What lets anyone in over SSH; systemd 256 and newer makes the last three by itself.
_SSH_UNITS = (
    "sshd.service", "sshd.socket",
    "sshd-vsock.socket", "sshd-unix-local.socket", "sshd-unix-export.socket",
)  # fmt: skip
# systemd treats a carriage return as the end of a line, too.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "%": "%%", "$": "$$"}
# In place of a spec's hash while that is computed.
_NO_HASH = "0" * 64
_NO_FILES = RouteFiles()


def template_values(
    settings: Settings,
    ssh_keys: tuple[str, ...] = (),
    revoked: bytes = b"",
    *,
    route: RouteFiles = _NO_FILES,
    ipv6: bool = True,
) -> Mapping[str, str | tuple[str, ...]]:
    """Give every blank its value; a tuple repeats the blank's line, an empty one removes it.

    `revoked` is the list of the keys that sshd refuses, `route` is the operator's own
    part of the app's route. Without `ipv6` the app's network has none. An updater has no files yet.
    """
    return {
        **_node_values(settings, ssh_keys),
        "AUTO_UPDATE": (),
        "REVOKED_KEYS": f"data:;base64,{base64.b64encode(revoked).decode()}",
        **_data_values(settings),
        **_app_values(settings),
        **_container_values(settings),
        **_network_values(settings),
        **proxy_values(settings),
        **route_values(settings, route),
        **pull_values(settings, PullFiles()),
        **bundle_values(settings, PullFiles()),
        **status_values({}),
        **metrics_values({}),
        **otlp_values({}),
        **notice_values({}),
        **os_health_values({}),
        **address_values(settings, ipv6=ipv6),
    }


def key_uid(settings: Settings) -> int:
    """Return the user that alone can read the key file; a node gives it to an image's own user."""
    own = settings.tls == "app" and settings.container_user == "app"
    return app_uid(settings.app) if own else 0


def _node_values(settings: Settings, ssh_keys: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    window = settings.update_window
    off = settings.update_strategy == "off"
    return {
        "SPEC": _NO_HASH,
        "NODE_USER": settings.node_user,
        "NODE_HOSTNAME": settings.node_hostname,
        "SSH": _when(settings.ssh == "on", _SSH_PORT),
        "SSH_KEY": ssh_keys if settings.ssh == "on" else (),
        "CLOSED": _SSH_UNITS if settings.ssh == "off" else (),
        "CONSOLE_PASSWORD_HASH": _when(
            settings.console_password_hash, settings.console_password_hash
        ),
        "TIME_ZONE": settings.time_zone,
        "FIREWALL_TCP_PORT": _ports(settings.firewall_ports, "tcp"),
        "FIREWALL_UDP_PORT": _ports(settings.firewall_ports, "udp"),
        "UPDATES_ENABLED": "false" if off else "true",
        "UPDATE_STRATEGY": _STRATEGY_WHEN_OFF if off else settings.update_strategy,
        "UPDATE_DAYS": ", ".join(f'"{day}"' for day in window.days),
        "UPDATE_START": window.start,
        "UPDATE_MINUTES": str(window.minutes),
        "UPDATE_HEALTH_SECONDS": str(settings.update_health_seconds),
        "JOURNAL_LIMIT": settings.journal_limit,
        "METRICS_SERVED": _when(settings.metrics_path, SERVED_METRICS),
        "SWAP_DEVICE": _when(settings.swap_megabytes, "zram0"),
        "SWAP_MEGABYTES": _when(settings.swap_megabytes, str(settings.swap_megabytes)),
    }


def _data_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    label = settings.data_partition
    beside_root = settings.data_disk == BOOT_DISK
    return {
        "DATA_PARTITION": _when(label, label),
        "DATA_LABEL": _when(label, label),
        "DATA_DISK": _when(label, settings.data_disk),
        "DATA_PATH": _when(label, f"/var/lib/{settings.app}/data"),
        "DATA_NUMBER": _when(label, _NEXT_TO_ROOT if beside_root else "1"),
        "DATA_MEGABYTES": _when(label, str(settings.data_megabytes)),
        "PROXY_DATA": _when(label, f"/data/.{PROXY_APP}"),
        "ROOT_MEGABYTES": _when(label and beside_root, str(settings.root_megabytes)),
    }


def _app_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    uid = str(app_uid(settings.app))
    in_container = settings.container_user == "app"
    by_socket = settings.switch == "socket"
    https = _when(settings.tls == "app" or settings.is_proxy, str(settings.https_port))
    http = _when(settings.http_port and settings.tls != "proxy", str(settings.http_port))
    return {
        "APP": settings.app,
        "APP_FOLDER": "app",
        "UID": uid,
        "CONTAINER_UID": _when(in_container, uid),
        "DATA_USER": _when(in_container, settings.app),
        "DATA_UID": _when(not in_container, uid),
        # With a colon systemd-tmpfiles leaves the owner of a folder that exists alone.
        "DATA_OWNER": settings.app if in_container else f":{settings.app}",
        "VOLUMES": _when(settings.volumes, ""),
        "VOLUME": tuple(one.name for one in settings.volumes),
        "VOLUME_TARGET": tuple(one.target for one in settings.volumes),
        "VOLUME_OWNER": f'{{name: "{settings.app}"}}' if in_container else f"{{id: {uid}}}",
        "HTTPS_PORT": https,
        "HTTP_PORT": http,
        "SOCKET": _when(by_socket, f"{settings.app}.socket"),
        "SOCKET_NONBLOCKING": _when(by_socket, "true"),
        "DOOR_HTTPS_PORT": () if by_socket else https,
        "DOOR_HTTP_PORT": () if by_socket else http,
        "DOOR_HTTPS_TO": str(443 if settings.is_proxy else settings.container_https_port),
        "DOOR_HTTP_TO": str(
            settings.container_http_port
            if settings.tls == "app"
            else settings.container_port.number
        ),
        "CREDENTIAL": tuple(
            source.credential
            for source in settings.sources
            # Opened outside of the container: what is the proxy's, the registry's login, and what
            # the machine sends metrics or notifications with.
            if source.credential not in {PULL_LOGIN, OTLP_HEADERS, *NOTIFY_CREDENTIALS}
            and (settings.tls == "app" or source.credential not in {ACME_HMAC, CERT_PASS})
        ),
    }


def _container_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    smtp = settings.smtp_host
    ends_tls = settings.tls == "app"
    return {
        "CONTAINER_HTTPS_PORT": _when(ends_tls, str(settings.container_https_port)),
        "PUBLIC_HTTPS_PORT": _when(ends_tls, str(settings.https_port)),
        "CONTAINER_HTTP_PORT": _when(
            ends_tls and settings.http_port, str(settings.container_http_port)
        ),
        **_port_values(settings),
        "TLS_FOLDER": _when(ends_tls, "/etc/tls"),
        "TLS_MEMORY": _when(ends_tls, "/run/tls"),
        "NOTIFY": settings.notify,
        "READ_ONLY": settings.read_only,
        "COMMAND": _when(settings.container_command, _words(settings.container_command)),
        "CAPABILITY": settings.container_capabilities,
        "TMPFS": tuple(
            ",".join((f"{one.target}:rw,mode=1777,U", *_when(one.size, f"size={one.size}")))
            for one in settings.container_tmpfs
        ),
        "HEALTH_PATH": _escaped(settings.health_path),
        "STOP_SECONDS": str(settings.stop_seconds),
        "STOP_LIMIT_SECONDS": str(settings.stop_seconds + _START_MARGIN_SECONDS),
        "START_SECONDS": str(settings.health_timeout_seconds + _START_MARGIN_SECONDS),
        "WATCHDOG_SECONDS": _when(settings.watchdog_seconds, str(settings.watchdog_seconds)),
        "WATCHDOG_USEC": _when(settings.watchdog_seconds, f"{settings.watchdog_seconds}000000"),
        "MEMORY_LIMIT": settings.memory_limit,
        "CPU_LIMIT": settings.cpu_limit,
        "TASKS_LIMIT": str(settings.tasks_limit),
        "SMTP_HOST": _when(smtp, _escaped(smtp)),
        "SMTP_PORT": _when(smtp, str(settings.smtp_port)),
        "SMTP_USER": _when(
            smtp and settings.smtp_user, f'"SMTP_USER={_escaped(settings.smtp_user)}"'
        ),
        "ENVIRONMENT": tuple(
            f'"{name}={_escaped(value)}"' for name, value in sorted(settings.environment.items())
        ),
    }


def _port_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    port, served = settings.container_port, settings.tls != "app"
    by_socket = served and port.socket
    return {
        "CONTAINER_PORT": _when(served and not port.socket, str(port.number)),
        "CONTAINER_SOCKET": _when(by_socket, port.socket),
        "SOCKET_FOLDER": _when(by_socket, port.folder),
        "SOCKETS": _when(by_socket, "/run/corefab/proxy/sockets"),
        "SOCKET_GROUP": _when(by_socket, str(app_uid(PROXY_APP))),
        "SOCKET_UMASK": _when(by_socket, "0002"),
        "SOCKET_LEVEL": _when(by_socket, "s0"),
    }


def _network_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    """Say which other containers an app reaches: the proxy any, others none."""
    proxy, own = settings.is_proxy, subnets_of(PROXY_APP)
    behind = settings.tls == "proxy"
    return {
        "ISOLATED4": () if proxy else subnets(settings)[:1],
        "ISOLATED6": () if proxy else subnets(settings)[1:],
        "PROXY_SUBNET4": _when(behind, own[0]),
        "PROXY_SUBNET6": _when(behind, own[1]),
    }


def _when(condition: object, value: str) -> tuple[str, ...]:
    return (value,) if condition else ()


def _ports(ports: tuple[FirewallPort, ...], protocol: str) -> tuple[str, ...]:
    return tuple(str(port.number) for port in ports if port.protocol == protocol)


def _words(words: tuple[str, ...]) -> str:
    return " ".join(f'"{_escaped(word)}"' for word in words)


def _escaped(text: str) -> str:
    r"""Escape text for a quoted word of a unit: \, ", line ends, and systemd's own % and $."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)
