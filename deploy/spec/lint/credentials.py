"""Credentials whose absence systemd does not report."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit

_KEYS = ("LoadCredential", "LoadCredentialEncrypted")


def check(unit: Unit, _: Facts) -> Iterator[Finding]:
    """Find credentials without an absolute path."""
    for key in _KEYS:
        for setting in unit.all("Service", key):
            name, _colon, path = setting.value.partition(":")
            if not path.startswith(("/", "%")):
                yield Finding(
                    "error", "bare-credential", setting.file, setting.line, setting.text,
                    "systemd silently skips a missing credential that has a bare name; with"
                    " an absolute path the unit fails and says why",
                    f"{key}={name}:/etc/credstore.encrypted/{path or name}",
                )  # fmt: skip
