"""The values of the blanks of an app's route in the node's proxy, and of the proxy's own unit."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.settings.model import PROXY_APP, Settings

# A configuration that names its adapter is read whatever its file is called.
_COMMAND = "caddy run --config /run/proxy/Caddyfile --adapter caddyfile"
_GRACE_SECONDS = 5
# Below this folder lies what the proxy reads: on the node, and in its container.
_ON_NODE, _INSIDE = "/run/corefab/proxy", "/run/proxy"
HEALTH_PATH = "/.well-known/corefab"
# Where the machine's metrics are for the proxy; with METRICS_PATH alone.
SERVED_METRICS = f"{_ON_NODE}/metrics"
# The name that goes with the password of METRICS_PASSWORD_HASH.
METRICS_USER = "metrics"


@dataclass(frozen=True, slots=True)
class RouteFiles:
    """The operator's own part of a route.

    `directives` are lines of Caddy's language, `pages` error pages and static files by their paths,
    `acme_root` the root certificate of a private ACME server.
    """

    directives: tuple[str, ...] = ()
    pages: Mapping[str, bytes] = field(default_factory=dict)
    acme_root: bytes = field(default=b"", repr=False)


def proxy_values(settings: Settings) -> dict[str, str | tuple[str, ...]]:
    """Make what the unit of the proxy itself has."""
    values = {
        "PROXY": PROXY_APP,
        "PROXY_COMMAND": _COMMAND,
        "PROXY_SCRIPT": "/etc/corefab/proxy/proxy.sh",
        "PROXY_FOLDER": _ON_NODE,
        "PROXY_UPSTREAMS": f"{_INSIDE}/upstreams",
        "PROXY_MEMORY": "/run/caddy",
        "PROXY_SYSCTL": "net.ipv4.ip_unprivileged_port_start=80",
        "PROXY_CAPABILITY": "NET_BIND_SERVICE",
        "PROXY_RULE": "capability",
        "PROXY_GRACE_SECONDS": str(_GRACE_SECONDS),
        "HTTPS_UDP": str(settings.https_port),
    }
    return {name: (value,) if settings.is_proxy else () for name, value in values.items()}


def route_values(settings: Settings, own: RouteFiles) -> dict[str, str | tuple[str, ...]]:
    """Make the values of an app's route."""
    names, path = settings.cert_names, settings.health_path.partition("?")[0]
    return {
        "ROUTE": (settings.app,) if settings.tls == "proxy" else (),
        "ROUTE_NAMES": " ".join((*names, *settings.redirect_names)),
        "ROUTE_SITES": ", ".join(map(_site, names)),
        "ROUTE_HTTP_SITES": ", ".join(f"http://{_site(name)}" for name in names),
        "ROUTE_TLS": tuple(_tls(settings)),
        # The proxy speaks the one or the other. With a file for each, the route of a release leads
        # to no release that speaks the other.
        "UPSTREAM": f"{settings.app}.{'h2c' if settings.container_port.h2c else 'upstream'}",
        "UPSTREAM_VERSIONS": ("h2c",) if settings.container_port.h2c else (),
        "ROUTE_HEALTH_PATH": path,
        "ROUTE_HEALTH_AGENT": ("corefab",) if path == "/" else (),
        "ROUTE_REDIRECT": tuple(_redirect(settings)),
        "ACCESS_LOG": (settings.app,) if settings.access_log == "true" else (),
        "TRUSTED_PROXIES": (
            (" ".join(settings.trusted_proxies),) if settings.trusted_proxies else ()
        ),
        "METRICS_PATH": (settings.metrics_path,) if settings.metrics_path else (),
        "METRICS_ROUTE": tuple(_metrics(settings)) if settings.metrics_path else (),
        "DIRECTIVE": own.directives,
        "ROUTE_FILE": tuple(_files(settings, own)) if settings.tls == "proxy" else (),
    }


def _files(settings: Settings, own: RouteFiles) -> Iterator[str]:
    """Make an entry of a Butane file for each file beside the route."""
    folder = f"/etc/corefab/routes/{settings.app}"
    files = {f"{folder}/{name}": content for name, content in sorted(own.pages.items())}
    if own.acme_root and settings.cert_from == "node":
        files[f"{folder}.pem"] = own.acme_root
    for path, content in files.items():
        source = f"data:;base64,{base64.b64encode(content).decode()}"
        yield f'{{path: {path}, mode: 0644, contents: {{source: "{source}"}}}}'


def _site(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _tls(settings: Settings) -> Iterator[str]:
    if settings.cert_from != "node":
        file = f"{_INSIDE}/certs/{settings.app}"
        yield f"tls {file}.crt {file}.key"
        return
    yield "tls {"
    yield "\tissuer acme {"
    yield f"\t\tdir {settings.acme_directory}"
    if settings.acme_email:
        yield f"\t\temail {settings.acme_email}"
    if settings.acme_root:
        yield f"\t\ttrusted_roots {_INSIDE}/roots/{settings.app}.pem"
    if settings.binds_account:
        # The key comes from memory.
        yield f"\t\timport {_INSIDE}/certs/{settings.app}.account {settings.acme_key_id}"
    yield "\t}"
    yield "}"


def _metrics(settings: Settings) -> Iterator[str]:
    yield f"handle {settings.metrics_path} {{"
    # In this order: a password takes long to check.
    yield "\troute {"
    if settings.metrics_from:
        yield f"\t\t@stranger not remote_ip {' '.join(settings.metrics_from)}"
        yield "\t\terror @stranger 403"
    if settings.metrics_password_hash:
        yield "\t\tbasic_auth {"
        yield f"\t\t\t{METRICS_USER} {settings.metrics_password_hash}"
        yield "\t\t}"
    yield "\t\tlog_skip"
    yield "\t\theader Cache-Control no-store"
    yield '\t\theader Content-Type "text/plain; version=0.0.4; charset=utf-8"'
    yield f"\t\troot {_INSIDE}/metrics"
    yield "\t\trewrite /corefab.prom"
    yield "\t\tfile_server"
    yield "\t}"
    yield "}"


def _redirect(settings: Settings) -> Iterator[str]:
    if not settings.redirect_names:
        return
    to = f"\tredir https://{_site(settings.cert_names[0])}{{uri}} 308"
    names = [_site(name) for name in settings.redirect_names]
    yield f"{', '.join(f'http://{name}' for name in names)} {{"
    yield to
    yield "}"
    yield f"{', '.join(names)} {{"
    for line in _tls(settings):
        yield f"\t{line}"
    yield to
    yield "}"
