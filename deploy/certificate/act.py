"""The commands of the certificate scripts."""

from deploy.node.command import Command


def certificate_stage(app: str, release: str, archive: bytes) -> Command:
    """Store the next certificate of a release beside the present one."""
    return Command("certificate-stage", (app, release), archive)


def certificate_seal(app: str, release: str, password: bytes) -> Command:
    """Seal the password of the next key."""
    return Command("certificate-seal", (app, release), password)


def certificate_swap(app: str, release: str, signal: str) -> Command:
    """Put the staged certificate in place and signal the app to load it."""
    return Command("certificate-swap", (app, release, signal))


def certificate_undo(app: str, release: str, signal: str) -> Command:
    """Put the previous certificate back and signal the app."""
    return Command("certificate-undo", (app, release, signal))


def certificate_finish(app: str, release: str, audit: str) -> Command:
    """Record that the new certificate serves; `audit` is a line of JSON."""
    return Command("certificate-finish", (app, release, audit))


def proxy_certificates(verb: str, names: tuple[str, ...]) -> Command:
    """Set the proxy's certificates for these names aside, put them back, or forget them."""
    return Command("proxy-certificates", (verb, *names))
