"""Find settings that contradict each other."""

from collections.abc import Iterator

from deploy.settings.model import AUTHORITY_PASS, Settings

# A user name's limit: the app's user bears the app's name.
_LONGEST_APP = 31
_SSH_PORT = 22
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
    if settings.node_user == "root":
        yield (
            "NODE_USER",
            "NODE_USER is root, which the machine spec allows no login as; use core",
        )
    if settings.watchdog_seconds and settings.notify != "true":
        text = "WATCHDOG_SECONDS needs NOTIFY=true: without it the watchdog is never fed, and "
        yield "WATCHDOG_SECONDS", f"{text}systemd would restart a healthy app again and again"


def _socket_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.switch != "socket":
        return
    if settings.notify != "true":
        text = "SWITCH is socket, which needs NOTIFY=true: the old release stops when the new one"
        yield "NOTIFY", f"{text} says that it is ready"
    if settings.before_switch:
        text = "SWITCH is socket, where a release gets visitors as soon as it is ready; let the "
        yield "BEFORE_SWITCH", f"{text}app itself do this before it says READY"


def _port_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    taken = {settings.node_port or _SSH_PORT: "SSH"}
    for key, port in (("HTTPS_PORT", settings.https_port), ("HTTP_PORT", settings.http_port)):
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
    if bool(settings.acme_key_id) != (settings.acme_hmac_key is not None):
        yield "ACME_KEY_ID", "set both ACME_KEY_ID and ACME_HMAC_KEY, or neither"
