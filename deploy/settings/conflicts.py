"""Find settings that contradict each other."""

import contextlib
import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from deploy.settings.model import AUTHORITY_PASS, NOTIFY_TOKEN, NOTIFY_URL, PROXY_APP, Settings

# A user name's limit: the app's user bears the app's name.
_LONGEST_APP = 31
_SSH_PORT = 22
_HTTPS_PORT, _HTTP_PORT = 443, 80
# Settings that only the proxy uses, and their fields.
_PROXY_ONLY = {"REDIRECT_NAMES": "redirect_names", "TRUSTED_PROXIES": "trusted_proxies"}
# Variables that the container gets without ENV_, each with the settings it comes from.
SET_BY_US = {
    "APP": "PROJECT and NAME",
    "HTTPS_PORT": "CONTAINER_HTTPS_PORT",
    "PUBLIC_HTTPS_PORT": "HTTPS_PORT",
    "HTTP_PORT": "CONTAINER_HTTP_PORT",
    "PORT": "CONTAINER_PORT",
    "HTTP_SOCKET": "CONTAINER_PORT",
    "HEALTH_PATH": "HEALTH_PATH",
    "SMTP_HOST": "SMTP_HOST",
    "SMTP_PORT": "SMTP_PORT",
    "SMTP_USER": "SMTP_USER",
    "WATCHDOG_USEC": "WATCHDOG_SECONDS",
    "NOTIFY_SOCKET": "NOTIFY",
    "LISTEN_FDS": "SWITCH",
    "LISTEN_PID": "SWITCH",
    "LISTEN_FDNAMES": "SWITCH",
}
# What an ACME account's key and its id are made of; both are words of Caddy's language.
_PLAIN = re.compile(r"[\w.:/+=@-]*", re.ASCII)
# Where notifications go: it is written into the configuration of programs, so no quotes.
_RECEIVER = re.compile(r"https?://[A-Za-z0-9._\-\[\]:]+(/[A-Za-z0-9._~!$&()*+,;=:@%/?-]*)?")
# Folders of the container that corefab mounts; below /proc, /sys and /dev is the kernel's.
_MOUNTED = ("/data", "/etc/tls", "/srv/files", "/run/secrets", "/run/tls", "/proc", "/sys", "/dev")
# Paths that the proxy answers itself.
_OWN_PATHS = ("/.well-known/corefab", "/.well-known/acme-challenge")
# What only `fab deploy` brings to a node.
_SEALED = (
    "credentials are sealed on a node by `fab deploy` alone; in the machine spec every process "
)
_SEALED += "of the machine could read it"
_WHY_DEPLOYED = {
    "PROJECT_FILES": "these are sent by `fab deploy` alone; have them in the image",
    "CERT_PASSWORD": "a TLS key of ours is sent by `fab deploy` alone; use TLS=proxy with "
    "CERT_FROM=node, or TLS=none",
    "PROXY_IMAGE": "the node has to pull its proxy by itself: name an image by its digest, such as "
    "registry.example.org/caddy@sha256:…, or a tag in PULL's registry that `fab publish` signed",
}
ALIKE = "AUTHORITY_PASSWORD is CERT_PASSWORD, which every container of the app has; choose another"


def conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each contradiction: the key to change, and what is wrong."""
    if len(settings.app) > _LONGEST_APP:
        text = f"PROJECT and NAME make {settings.app!r}, longer than {_LONGEST_APP} characters"
        yield "NAME", text
    yield from _port_conflicts(settings)
    yield from _source_conflicts(settings)
    yield from _acme_conflicts(settings)
    yield from _socket_conflicts(settings)
    yield from _mount_conflicts(settings)
    yield from _empty_words(settings)
    yield from _proxy_conflicts(settings)
    yield from _upstream_conflicts(settings)
    yield from _closed_conflicts(settings)
    yield from _scrape_conflicts(settings)
    yield from _otlp_conflicts(settings)
    if settings.pull_node and not settings.pull:
        yield "PULL_NODE", "PULL_NODE needs PULL: the node's bundles are in the registry of that"
    yield from _notify_conflicts(settings)
    taken = SET_BY_US.keys() - ({"PORT", "HTTP_SOCKET"} if settings.tls == "app" else set())
    for name in settings.environment.keys() & taken:
        text = f"ENV_{name}: the container gets {name} from {SET_BY_US[name]}; set that instead"
        yield f"ENV_{name}", text
    if settings.node_user == "root":
        yield (
            "NODE_USER",
            "NODE_USER is root, which the machine spec allows no login as; use core",
        )
    if settings.watchdog_seconds and settings.notify != "true":
        text = "WATCHDOG_SECONDS needs NOTIFY=true: without it the watchdog is never fed, and "
        yield "WATCHDOG_SECONDS", f"{text}systemd would restart a healthy app again and again"


def is_receiver(url: str) -> bool:
    """Tell whether notifications can be sent to an address."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        # A port that is none is a ValueError, too.
        return bool(_RECEIVER.fullmatch(url) and parts.hostname) and parts.port != 0
    return False


def _notify_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    url = settings.notify_url
    if url and not is_receiver(url.get_secret_value()):
        yield "NOTIFY_URL", "NOTIFY_URL is not an address such as https://hooks.example.org/…"
    if settings.notify_mail and not settings.smtp_host:
        yield "NOTIFY_MAIL", "NOTIFY_MAIL needs SMTP_HOST: mails go through that server"
    have = settings.notify_sources.keys()
    for name in sorted(have - {NOTIFY_URL}):
        if NOTIFY_URL not in have:
            yield name.upper(), f"{name.upper()} is set, and NOTIFY_URL is not"
    if settings.notify_format == "matrix" and NOTIFY_URL in have and NOTIFY_TOKEN not in have:
        yield "NOTIFY_TOKEN", "NOTIFY_FORMAT is matrix, which needs NOTIFY_TOKEN: an access token"


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def _socket_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.switch != "socket":
        return
    if settings.notify != "true":
        text = "SWITCH is socket, which needs NOTIFY=true: the old release stops when the new one"
        yield "NOTIFY", f"{text} says that it is ready"
    if settings.before_switch:
        text = "SWITCH is socket, where a release gets visitors as soon as it is ready; let the "
        yield "BEFORE_SWITCH", f"{text}app itself do this before it says READY"


def _upstream_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    port = settings.container_port
    if settings.tls != "proxy" and (port.h2c or port.socket):
        text = f"CONTAINER_PORT is {port}, which needs TLS=proxy; name a port alone"
        yield "CONTAINER_PORT", text
    if port.socket and settings.container_user == "image":
        text = f"CONTAINER_PORT is {port}, which needs CONTAINER_USER=app: the folder of the socket"
        yield "CONTAINER_PORT", f"{text} is the app's own user's"


def _closed_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what a node without SSH would lack: no command logs in to it."""
    if settings.ssh == "on":
        return
    if not settings.console_password_hash:
        text = "SSH is off, which leaves no way back in: set it to the hash of a password"
        yield (
            "CONSOLE_PASSWORD_HASH",
            f"CONSOLE_PASSWORD_HASH: {text} (`mkpasswd`), with which {settings.node_user} logs in "
            "at the machine's console",
        )
    if not settings.follows:
        text = "SSH is off, so that no deploy reaches the node: set the tag that it follows"
        yield "PULL", f"PULL: {text}, and PULL_MODE to auto or notify"
        return
    for key in settings.needs_deploy:
        yield key, f"{key}: SSH is off, and {_WHY_DEPLOYED.get(key, _SEALED)}"


def _scrape_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what is wrong with the path at which the proxy serves the machine's metrics."""
    path = settings.metrics_path
    guards = {
        "METRICS_FROM": settings.metrics_from,
        "METRICS_PASSWORD_HASH": settings.metrics_password_hash,
    }
    if not path:
        for key, found in guards.items():
            if found:
                yield key, f"{key} needs METRICS_PATH: the path at which metrics are served"
        return
    if settings.metrics == "off":
        yield "METRICS_PATH", "METRICS_PATH needs METRICS=on: otherwise there is nothing to serve"
    if settings.tls != "proxy":
        yield "METRICS_PATH", f"METRICS_PATH needs TLS=proxy: TLS is {settings.tls}"
    if not any(guards.values()):
        text = "METRICS_PATH would be open to everyone: set METRICS_FROM, METRICS_PASSWORD_HASH or"
        yield "METRICS_PATH", f"{text} both"
    health = settings.health_path.partition("?")[0]
    if path == health or path.startswith(_OWN_PATHS):
        text = f"METRICS_PATH is {path}, which is for something else; choose another, such as"
        yield "METRICS_PATH", f"{text} /.well-known/metrics"


def _otlp_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what is wrong with where the machine sends its journal and metrics."""
    if settings.otlp_endpoint:
        if settings.metrics == "off" and set(settings.otlp_send) != {"traces"}:
            text = "OTLP_ENDPOINT needs METRICS=on: the metrics are what that writes"
            yield "OTLP_ENDPOINT", text
        if "traces" in settings.otlp_send and settings.otlp_endpoint.startswith("http:"):
            text = (
                "OTLP_SEND has traces, which this workstation sends: OTLP_ENDPOINT has to be https"
            )
            yield "OTLP_SEND", text
        return
    others = {
        "OTLP_HEADERS": settings.otlp_headers or settings.otlp_headers_command,
        "OTLP_ROOT": settings.otlp_root,
    }
    for key, found in others.items():
        if found:
            yield key, f"{key} needs OTLP_ENDPOINT: the address that it is for"


def _mount_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    volumes = [("VOLUMES", one.target) for one in settings.volumes]
    memory = [("CONTAINER_TMPFS", one.target) for one in settings.container_tmpfs]
    names = [one.name for one in settings.volumes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "VOLUMES", f"VOLUMES names {name} more than once"
    port = settings.container_port
    socket = [("CONTAINER_PORT", port.folder)] if port.socket else []
    for key, target in (*volumes, *memory, *socket):
        # The tmpfs /run is below the mounts in it.
        taken = [one for one in _MOUNTED if (key, target) != ("CONTAINER_TMPFS", "/run")]
        for other in (*taken, *(("/run",) if key == "VOLUMES" else ())):
            if _overlap(target, other):
                yield key, f"{key} has {target}, and corefab mounts {other}; choose another folder"
                break
    mounts = (*volumes, *memory, *socket)
    for place, (key, target) in enumerate(mounts):
        for _, other in mounts[:place]:
            if _overlap(target, other):
                text = f"{key} has {target}, and {other} is a mount as well: neither may lie in the"
                yield key, f"{text} other"


def _empty_words(settings: Settings) -> Iterator[tuple[str, str]]:
    if "" in settings.container_command:
        text = "CONTAINER_COMMAND has an empty word, which podman leaves out of a unit's command"
        yield "CONTAINER_COMMAND", f"{text}; write sh -c '…' around it"


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _proxy_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.is_proxy:
        yield "NAME", f"{PROXY_APP} is the proxy of a node; choose another PROJECT or NAME"
    if settings.tls != "app" and settings.switch == "socket":
        yield "SWITCH", f"SWITCH is socket, which needs TLS=app: TLS is {settings.tls}"
    if settings.tls == "none" and not settings.http_port:
        yield "HTTP_PORT", "TLS is none, which needs HTTP_PORT: visitors use that port"
    yield from (_proxied if settings.tls == "proxy" else _unproxied)(settings)


def _unproxied(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.cert_from == "node":
        yield "CERT_FROM", "CERT_FROM is node, which needs TLS=proxy: the proxy gets it"
    for key, found in _PROXY_ONLY.items():
        if getattr(settings, found):
            yield key, f"{key} is for TLS=proxy"


def _proxied(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.https_port != _HTTPS_PORT:
        yield "HTTPS_PORT", "TLS is proxy, and the proxy answers at port 443; remove HTTPS_PORT"
    if settings.http_port not in {None, _HTTP_PORT}:
        yield "HTTP_PORT", "TLS is proxy, and the proxy answers at port 80; remove HTTP_PORT"
    both = set(settings.cert_names) & set(settings.redirect_names)
    if both:
        yield "REDIRECT_NAMES", f"{min(both)} is in CERT_NAMES too; a name serves or redirects"
    if settings.cert_from != "node":
        return
    stars = [name for name in settings.all_names if name.startswith("*")]
    if stars:
        key = "CERT_NAMES" if stars[0] in settings.cert_names else "REDIRECT_NAMES"
        text = (
            "the proxy cannot prove a wildcard; name each host, or use CERT_FROM=acme with dns-01"
        )
        yield key, f"{stars[0]}: {text}"
    yield from _account_conflicts(settings)
    if not _PLAIN.fullmatch(settings.acme_key_id):
        yield "ACME_KEY_ID", "ACME_KEY_ID has characters that none has; copy it from the authority"
    if settings.acme_hmac_key and not _PLAIN.fullmatch(settings.acme_hmac_key.get_secret_value()):
        yield "ACME_HMAC_KEY", "ACME_HMAC_KEY is not Base64; copy it from the authority"


def _port_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.tls == "proxy":
        return
    taken = {settings.node_port or _SSH_PORT: "SSH"}
    https = None if settings.tls == "none" else settings.https_port
    for key, port in (("HTTPS_PORT", https), ("HTTP_PORT", settings.http_port)):
        if port in taken:
            yield key, f"{key} is {port}, which {taken[port]} uses too"
        if port:
            taken[port] = key


def _source_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    credentials: dict[str, str] = {}
    for source in settings.all_sources:
        key, name = source.key, source.credential
        if source.value is not None and source.command:
            yield key, f"{key} and {key}_COMMAND are both set; remove one"
        if name in credentials:
            yield key, f"{key} makes the credential {name}, and so does {credentials[name]}"
        credentials[name] = key
    if settings.authority_password and settings.authority_password == settings.cert_password:
        yield AUTHORITY_PASS, ALIKE


def _acme_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.cert_from != "acme":
        return
    if settings.acme_terms_agreed != "true":
        yield "ACME_TERMS_AGREED", "CERT_FROM is acme: read the authority's terms, then set it true"
    if settings.acme_challenge == "dns-01" and not settings.acme_dns_command:
        yield "ACME_DNS_COMMAND", "ACME_CHALLENGE is dns-01, which needs ACME_DNS_COMMAND"
    stars = [name for name in settings.cert_names if name.startswith("*")]
    if settings.acme_challenge == "http-01" and stars:
        yield "ACME_CHALLENGE", f"{stars[0]} needs dns-01: a wildcard cannot be proven by http-01"
    addresses = [name for name in settings.cert_names if _is_address(name)]
    if settings.acme_challenge == "dns-01" and addresses:
        yield "ACME_CHALLENGE", f"{addresses[0]} needs http-01: an address has no TXT record"
    yield from _account_conflicts(settings)


def _account_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if bool(settings.acme_key_id) != (settings.acme_hmac_key is not None):
        yield "ACME_KEY_ID", "set both ACME_KEY_ID and ACME_HMAC_KEY, or neither"
