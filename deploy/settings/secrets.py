"""Secret settings: taken out of the environment, and never in a file that others can read.

Light: every command imports it before anything else runs.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.errors import DeployError

SECRET_KEYS = frozenset(
    {
        "CERT_PASSWORD",
        "CERT_PASSWORD_OLD",
        "AUTHORITY_PASSWORD",
        "AUTHORITY_PASSWORD_OLD",
        "ACME_HMAC_KEY",
        "OTLP_HEADERS",
        "NOTIFY_URL",
        "NOTIFY_KEY",
        "NOTIFY_TOKEN",
        "PUBLISH_LOGIN",
        "PULL_LOGIN",
        "SMTP_PASSWORD",
    }
)
_CREDENTIAL = re.compile(r"SECRET_[A-Z][A-Z0-9_]*")
_taken: dict[str, str] = {}
_fetched: set[str] = set()


def take_secrets() -> Mapping[str, str]:
    """Move secrets from the environment into memory; return all that were taken so far.

    No program that is started afterwards gets them.
    """
    for key in tuple(os.environ):
        if key in SECRET_KEYS or _CREDENTIAL.fullmatch(key):
            _taken[key] = os.environ.pop(key)
    return _taken


def remember(value: str) -> str:
    """Remember a secret that was fetched or typed in, for `seen`; return it."""
    _fetched.add(value)
    return value


def seen() -> frozenset[str]:
    """List the secrets that this process took, fetched or was told: no text it sends has one."""
    return frozenset({*_taken.values(), *_fetched})


def refuse_readable(file: Path, keys: Iterable[str]) -> None:
    """Refuse a file with secrets, of which these keys have a value, that other users can read.

    Raises:
        DeployError: with the command that corrects its mode.
    """
    secret = [key for key in keys if key in SECRET_KEYS or _is_value(key)]
    if not secret:
        return
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        raise DeployError(
            f"{file.name} holds {secret[0]}, and its mode {mode:04o} lets others read it",
            f"chmod 600 {file}",
        )


def _is_value(key: str) -> bool:
    return bool(_CREDENTIAL.fullmatch(key)) and not key.endswith("_COMMAND")
