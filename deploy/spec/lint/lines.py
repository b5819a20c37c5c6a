"""Lines that fail silently: shell syntax that no shell runs, credentials with a bare name."""

import posixpath
import re
from collections.abc import Iterator

from deploy.spec.lint.finding import Finding
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import words

_CREDENTIALS = ("LoadCredential", "LoadCredentialEncrypted")
_COMMANDS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload",
             "ExecStop", "ExecStopPost")  # fmt: skip
_SUBSTITUTION = re.compile(r"\$\(|`")
_SHELLS = ("ash", "bash", "busybox", "dash", "ksh", "sh", "zsh")
_OPTION = re.compile(r"-[a-z]*c[a-z]*")
_PREFIXES = "@-:+!|"


def check(unit: Unit) -> Iterator[Finding]:
    """Find `$(…)` and backticks outside a shell command, and credentials without a path."""
    yield from _credentials(unit)
    entrypoint = unit.word("Container", "Entrypoint")
    commands = [
        (setting, setting.value.lstrip(_PREFIXES))
        for key in _COMMANDS
        for setting in unit.all("Service", key)
    ]
    commands += [(one, f"{entrypoint} {one.value}") for one in unit.all("Container", "Exec")]
    for setting, command in commands:
        if _is_bare(command):
            yield Finding(
                "error", "no-shell", setting.file, setting.line, setting.text,
                "neither systemd nor podman runs a shell: the program gets this text unchanged",
                "/bin/sh -c '…' around the command, or the value in a file that the program reads",
            )  # fmt: skip


def _credentials(unit: Unit) -> Iterator[Finding]:
    for key in _CREDENTIALS:
        for setting in unit.all("Service", key):
            name, _colon, path = setting.value.partition(":")
            if not path.startswith(("/", "%")):
                yield Finding(
                    "error", "bare-credential", setting.file, setting.line, setting.text,
                    "systemd silently skips a missing credential that has a bare name; with"
                    " an absolute path the unit fails and says why",
                    f"{key}={name}:/etc/credstore.encrypted/{path or name}",
                )  # fmt: skip


def _is_bare(command: str) -> bool:
    if not _SUBSTITUTION.search(command):
        return False
    found = words(command)
    shells = [place for place, word in enumerate(found) if posixpath.basename(word) in _SHELLS]
    after = found[shells[0] + 1 :] if shells else ()
    return not any(map(_OPTION.fullmatch, after))
