"""Verb: a new key and certificate for an app, proven by a live handshake, undone if not."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from certs.pair import restore
from deploy import report
from deploy.cert_issue import cert_issue
from deploy.rollout import Order, rollout
from deploy.settings.model import Settings
from deploy.tls import load_pair, material


def cert_rotate_https(
    folder: Path,
    settings: Settings,
    *,
    days: int,
    ask: Callable[[str], str] | None,
    wait_seconds: int = 0,
) -> None:
    """Issue from the project's own authority and deploy; the old pair comes back on failure.

    Raises:
        CertError: when nothing can be issued; nothing has changed then.
        DeployError: when the new certificate is not served; the old one is, here and there.
    """
    old = load_pair(folder, settings).leaf
    cert_issue(folder, settings, days=days, ask=ask)
    try:
        rollout(folder, settings, Order(what="cert-rotate-https", wait_seconds=wait_seconds))
    except BaseException:
        restore(material(folder, settings), now=datetime.now(UTC))
        report.say(f"the certificate before it is back: SHA-256 {old.sha256}")
        raise
    new = load_pair(folder, settings).leaf
    report.good(f"certificate rotated: {old.sha256[:16]} -> {new.sha256[:16]}, proven by handshake")
