"""The values of the templates' blanks, made from the settings."""

from collections.abc import Mapping

from deploy.settings.model import Settings
from deploy.settings.types import FirewallPort
from deploy.spec.plan.addresses import address_values, app_uid

# Zincati knows two strategies; switching updates off is a flag of its own.
_STRATEGY_WHEN_OFF = "immediate"
_START_MARGIN_SECONDS = 30
# The name that Fedora CoreOS gives its boot disk, and the partition number after its own four.
BOOT_DISK = "/dev/disk/by-id/coreos-boot-disk"
_NEXT_TO_ROOT = "5"
# systemd treats a carriage return as the end of a line, too.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "%": "%%", "$": "$$"}


# In place of a spec's hash while that is computed.
_NO_HASH = "0" * 64


def template_values(
    settings: Settings, ssh_keys: tuple[str, ...] = ()
) -> Mapping[str, str | tuple[str, ...]]:
    """Give every blank its value; a tuple repeats the blank's line, an empty one removes it."""
    return {
        **_node_values(settings, ssh_keys),
        **_data_values(settings),
        **_app_values(settings),
        **_container_values(settings),
        **address_values(settings),
    }


def secrets_uid(settings: Settings) -> int:
    """Return the user in the container that alone can read its secrets and its key file."""
    return app_uid(settings.app) if settings.container_user == "app" else 0


def _node_values(settings: Settings, ssh_keys: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    window = settings.update_window
    off = settings.update_strategy == "off"
    return {
        "SPEC": _NO_HASH,
        "NODE_USER": settings.node_user,
        "NODE_HOSTNAME": settings.node_hostname,
        "SSH_KEY": ssh_keys,
        "TIME_ZONE": settings.time_zone,
        "FIREWALL_TCP_PORT": _ports(settings.firewall_ports, "tcp"),
        "FIREWALL_UDP_PORT": _ports(settings.firewall_ports, "udp"),
        "UPDATES_ENABLED": "false" if off else "true",
        "UPDATE_STRATEGY": _STRATEGY_WHEN_OFF if off else settings.update_strategy,
        "UPDATE_DAYS": ", ".join(f'"{day}"' for day in window.days),
        "UPDATE_START": window.start,
        "UPDATE_MINUTES": str(window.minutes),
        "JOURNAL_LIMIT": settings.journal_limit,
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
        "ROOT_MEGABYTES": _when(label and beside_root, str(settings.root_megabytes)),
    }


def _app_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    uid = str(app_uid(settings.app))
    in_container = settings.container_user == "app"
    by_socket = settings.switch == "socket"
    return {
        "APP": settings.app,
        "UID": uid,
        "CONTAINER_UID": _when(in_container, uid),
        "SECRETS_UID": str(secrets_uid(settings)),
        "HTTPS_PORT": str(settings.https_port),
        "HTTP_PORT": _when(settings.http_port, str(settings.http_port)),
        "SOCKET": _when(by_socket, f"{settings.app}.socket"),
        "DOOR_HTTPS_PORT": _when(not by_socket, str(settings.https_port)),
        "DOOR_HTTP_PORT": _when(settings.http_port and not by_socket, str(settings.http_port)),
        "CREDENTIAL": tuple(source.credential for source in settings.sources),
    }


def _container_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    smtp = settings.smtp_host
    return {
        "CONTAINER_HTTPS_PORT": str(settings.container_https_port),
        "CONTAINER_HTTP_PORT": _when(settings.http_port, str(settings.container_http_port)),
        "NOTIFY": settings.notify,
        "HEALTH_PATH": _escaped(settings.health_path),
        "STOP_SECONDS": str(settings.stop_seconds),
        "STOP_LIMIT_SECONDS": str(settings.stop_seconds + _START_MARGIN_SECONDS),
        "START_SECONDS": str(settings.health_timeout_seconds + _START_MARGIN_SECONDS),
        "WATCHDOG_SECONDS": _when(settings.watchdog_seconds, str(settings.watchdog_seconds)),
        "WATCHDOG_USEC": _when(settings.watchdog_seconds, f"{settings.watchdog_seconds}000000"),
        "MEMORY_LIMIT": settings.memory_limit,
        "CPU_LIMIT": settings.cpu_limit,
        "TASKS_LIMIT": str(settings.tasks_limit),
        "SMTP_HOST": _when(smtp, smtp),
        "SMTP_PORT": _when(smtp, str(settings.smtp_port)),
        "SMTP_USER": _when(
            smtp and settings.smtp_user, f'"SMTP_USER={_escaped(settings.smtp_user)}"'
        ),
        "ENVIRONMENT": tuple(
            f'"{name}={_escaped(value)}"' for name, value in sorted(settings.environment.items())
        ),
    }


def _when(condition: object, value: str) -> tuple[str, ...]:
    return (value,) if condition else ()


def _ports(ports: tuple[FirewallPort, ...], protocol: str) -> tuple[str, ...]:
    return tuple(str(port.number) for port in ports if port.protocol == protocol)


def _escaped(text: str) -> str:
    r"""Escape text for a quoted word of a unit: \, ", line ends, and systemd's own % and $."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)
