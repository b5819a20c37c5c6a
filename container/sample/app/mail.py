"""Send a test mail as the settings say: `python3 -m container.sample.app.mail TO`."""

from __future__ import annotations

import os
import smtplib
import ssl
import sys
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

from container.errors import ContainerError

_TLS_FROM_THE_START = 465
_PATIENCE_SECONDS = 20
_WORDS = 2


def send(to: str, environment: Mapping[str, str]) -> str:
    """Send it, over TLS and logged in where there is a user; return the server's answer.

    Raises:
        ContainerError: when there is no server, or it refuses.
    """
    host, port = environment.get("SMTP_HOST", ""), int(environment.get("SMTP_PORT", "587"))
    user = environment.get("SMTP_USER", "")
    if not host:
        raise ContainerError("SMTP_HOST is not set", code=os.EX_CONFIG)
    message = EmailMessage()
    message["From"] = user if "@" in user else f"{environment.get('APP', 'sample')}@{host}"
    message["To"] = to
    message["Subject"] = f"{environment.get('APP', 'sample')} can send mail"
    message.set_content("It can.\n")
    try:
        with _connected(host, port) as server:
            if user:
                server.login(user, _password(environment))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise ContainerError(
            f"{host}:{port}: {type(error).__name__}: {error}", code=os.EX_UNAVAILABLE
        ) from error
    return f"{host}:{port} took a mail for {to}"


def _connected(host: str, port: int) -> smtplib.SMTP:
    # Never send a password over an unencrypted connection.
    context = ssl.create_default_context()
    if port == _TLS_FROM_THE_START:
        return smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_SECONDS, context=context)
    server = smtplib.SMTP(host, port, timeout=_PATIENCE_SECONDS)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _password(environment: Mapping[str, str]) -> str:
    file = Path(environment.get("SMTP_PASS_FILE", "/run/secrets/smtp_pass"))
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ContainerError(f"{file}: {error.strerror}", code=os.EX_NOINPUT) from error


def main(arguments: list[str]) -> int:
    """Send the mail, and print the outcome."""
    if len(arguments) != _WORDS:
        sys.stderr.write("usage: mail ADDRESS\n")
        return os.EX_USAGE
    try:
        sys.stdout.write(f"{send(arguments[1], os.environ)}\n")
    except ContainerError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
