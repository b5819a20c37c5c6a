"""Credentials that may be missing without anybody being told."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit

_KEYS = ("LoadCredential", "LoadCredentialEncrypted")


def traps(unit: Unit, _: Facts) -> Iterator[Finding]:
    """Find credentials that are named without an absolute path."""
    for key in _KEYS:
        for setting in unit.all("Service", key):
            name, _colon, path = setting.value.partition(":")
            if not path.startswith(("/", "%")):
                yield Finding(
                    "error", "bare-credential", setting.file, setting.line, setting.text,
                    "a credential that is looked up by its bare name is skipped in silence when it"
                    " is missing; with an absolute path the unit fails and says why",
                    f"{key}={name}:/etc/credstore.encrypted/{path or name}",
                )  # fmt: skip
