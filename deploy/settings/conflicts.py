"""Settings that are right alone and wrong together."""

from collections.abc import Iterator

from deploy.settings.model import Settings

# A user name's limit: the app's user bears the app's name.
_LONGEST_APP = 31
_SSH_PORT = 22


def conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Name each contradiction: the key to change, and what is wrong."""
    if len(settings.app) > _LONGEST_APP:
        text = f"PROJECT and NAME make {settings.app!r}, longer than {_LONGEST_APP} characters"
        yield "NAME", text
    yield from _port_conflicts(settings)
    yield from _source_conflicts(settings)
    yield from _acme_conflicts(settings)
    if settings.node_user == "root":
        yield (
            "NODE_USER",
            "NODE_USER is root, whom the machine spec lets nobody log in as; use core",
        )
    if settings.watchdog_seconds and settings.notify != "true":
        text = "WATCHDOG_SECONDS needs NOTIFY=true: without it nobody can feed the watchdog, and "
        yield "WATCHDOG_SECONDS", f"{text}systemd would end a healthy app again and again"


def _port_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    taken = {settings.node_port or _SSH_PORT: "SSH"}
    for key, port in (("HTTPS_PORT", settings.https_port), ("HTTP_PORT", settings.http_port)):
        if port in taken:
            yield key, f"{key} is {port}, which {taken[port]} uses already"
        if port:
            taken[port] = key


def _source_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    credentials: dict[str, str] = {}
    for source in settings.sources:
        key, name = source.key, source.credential
        if source.value is not None and source.command:
            yield key, f"{key} and {key}_COMMAND are both set; keep one"
        if name in credentials:
            yield key, f"{key} makes the credential {name}, as {credentials[name]} does"
        credentials[name] = key


def _acme_conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.cert_from != "acme":
        return
    if settings.acme_terms_agreed != "true":
        yield "ACME_TERMS_AGREED", "CERT_FROM is acme: read the authority's terms, then set it true"
    if settings.acme_challenge == "dns-01" and not settings.acme_dns_command:
        yield "ACME_DNS_COMMAND", "ACME_CHALLENGE is dns-01, which needs ACME_DNS_COMMAND"
    stars = [name for name in settings.cert_names if name.startswith("*")]
    if settings.acme_challenge == "http-01" and stars:
        yield "ACME_CHALLENGE", f"{stars[0]} can be proven by dns-01 only"
    if bool(settings.acme_key_id) != (settings.acme_hmac_key is not None):
        yield "ACME_KEY_ID", "ACME_KEY_ID and ACME_HMAC_KEY are set together or not at all"
