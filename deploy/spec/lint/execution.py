"""Shell syntax in commands that no shell runs."""

import posixpath
import re
from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import Setting, words

_KEYS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop",
         "ExecStopPost")  # fmt: skip
_SUBSTITUTION = re.compile(r"\$\(|`")
_SHELLS = ("ash", "bash", "busybox", "dash", "ksh", "sh", "zsh")
_OPTION = re.compile(r"-[a-z]*c[a-z]*")
_PREFIXES = "@-:+!|"


def check(unit: Unit, _: Facts) -> Iterator[Finding]:
    """Find `$(…)` and backticks outside a shell command."""
    entrypoint = unit.word("Container", "Entrypoint")
    for key in _KEYS:
        for setting in unit.all("Service", key):
            if _is_bare(setting.value.lstrip(_PREFIXES)):
                yield _finding(setting)
    for setting in unit.all("Container", "Exec"):
        if _is_bare(f"{entrypoint} {setting.value}"):
            yield _finding(setting)


def _is_bare(command: str) -> bool:
    if not _SUBSTITUTION.search(command):
        return False
    found = words(command)
    shells = [place for place, word in enumerate(found) if posixpath.basename(word) in _SHELLS]
    return not any(
        _OPTION.fullmatch(word) for place in shells[:1] for word in found[place + 1 :]
    )  # fmt: skip


def _finding(setting: Setting) -> Finding:
    return Finding(
        "error", "no-shell", setting.file, setting.line, setting.text,
        "neither systemd nor podman runs a shell: the program gets this text unchanged",
        "/bin/sh -c '…' around the command, or the value in a file that the program reads",
    )  # fmt: skip
