"""Run the workstation's programs. Only this module of rehearsal starts any."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.errors import RehearsalError

IGNITION = Path("/usr/lib/dracut/modules.d/30ignition/ignition")

NEEDED = {  # program -> Debian package
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "ssh": "openssh-client",
    str(IGNITION): "ignition",
}


def missing() -> tuple[str, ...]:
    """List the Debian packages that a rehearsal node needs and this machine lacks."""
    return tuple(sorted({package for name, package in NEEDED.items() if not shutil.which(name)}))


def require() -> None:
    """Require root and every needed program; one error names all that is missing."""
    hints = {}
    if os.geteuid() != 0:
        problem = "rehearsal nodes need root: they are booted with systemd-nspawn"
        hints[problem] = "run the command as root (sudo), or use a real node"
    if packages := missing():
        problem = f"rehearsal nodes need Debian packages that are missing: {', '.join(packages)}"
        hints[problem] = f"install them: apt-get install {' '.join(packages)}"
    if hints:
        raise RehearsalError("\n".join(hints), "\n".join(hints.values()))


def run(argv: Sequence[str | Path], *, doing: str) -> str:
    """Run a program and return its stdout; a failure says what it was for."""
    result = attempt(argv)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise RehearsalError(
            f"{doing}: {Path(argv[0]).name} failed with exit code {result.returncode}",
            "\n".join(said[-12:]),
        )
    return result.stdout


def attempt(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program; a failure is not raised, a timeout is exit code 124."""
    words = [str(word) for word in argv]
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no answer in {timeout_seconds} s")
    except OSError as error:
        raise RehearsalError(f"{words[0]}: cannot be started: {error.strerror}") from error


def detach(
    argv: Sequence[str | Path], *, output: Path, env: Mapping[str, str] | None = None
) -> None:
    """Start a program in a new session that outlives this process; its output goes to a file."""
    with output.open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            cwd="/",
            check=True,
        )
