"""The commands for a node: a function for each script."""

from deploy.node.command import Command


def certificate_stage(app: str, release: str, archive: bytes) -> Command:
    """Lay the next certificate of a release beside the present one."""
    return Command("certificate-stage", (app, release), archive)


def certificate_seal(app: str, release: str, password: bytes) -> Command:
    """Seal the next key's password; it goes on stdin."""
    return Command("certificate-seal", (app, release), password)


def certificate_swap(app: str, release: str, signal: str) -> Command:
    """Put the staged certificate in place and have the app read it."""
    return Command("certificate-swap", (app, release, signal))


def certificate_undo(app: str, release: str, signal: str) -> Command:
    """Put the certificate before a swap back."""
    return Command("certificate-undo", (app, release, signal))


def certificate_finish(app: str, release: str, audit: str) -> Command:
    """Write a proven certificate down; `audit` is a line of JSON."""
    return Command("certificate-finish", (app, release, audit))
