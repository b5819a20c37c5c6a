"""Send a notice as a mail, over TLS where a password is sent or the server is another machine."""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime

from deploy.errors import DeployError
from deploy.notify.plan.notice import Notice
from deploy.settings.model import Settings

_TLS_FROM_THE_START = 465
_PATIENCE_SECONDS = 5
_MOST_SAID = 200
_HERE = {"localhost", "127.0.0.1", "::1"}


def send_mail(notice: Notice, settings: Settings, password: str, *, to: str) -> None:
    """Send a notice to one mailbox.

    Raises:
        DeployError: when the server cannot be reached, or does not take it.
    """
    host, port = settings.smtp_host, settings.smtp_port
    try:
        server = _connected(host, port, login=bool(settings.smtp_user))
        try:
            if settings.smtp_user:
                server.login(settings.smtp_user, password)
            server.send_message(make_mail(notice, settings, to))
            # It has the mail: what it says to the farewell does not matter.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        raise DeployError(
            f"the mail server {host}:{port} does not take a mail for {to}: "
            f"{type(error).__name__}: {str(error)[:_MOST_SAID]}",
            "are SMTP_HOST, SMTP_PORT, SMTP_USER and SMTP_PASSWORD right? `fab notify-test` tries "
            "them",
        ) from error


def _connected(host: str, port: int, *, login: bool) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if port == _TLS_FROM_THE_START:
        return smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=_PATIENCE_SECONDS)
    try:
        server.ehlo()
        if server.has_extn("starttls") or login or host not in _HERE:
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def make_mail(notice: Notice, settings: Settings, to: str) -> EmailMessage:
    """Write a mail."""
    host = settings.smtp_host
    sender = settings.smtp_user if "@" in settings.smtp_user else f"{settings.app}@{host}"
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = notice.title
    mail["Date"] = format_datetime(notice.at)
    mail["Message-ID"] = f"<{notice.id}@{settings.app}.corefab.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{notice.words}\n")
    return mail
