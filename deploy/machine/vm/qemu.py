"""Start and stop the processes of a virtual machine: QEMU and swtpm."""

import json
import os
import signal
import time
from pathlib import Path

from deploy.machine.vm.plan.virtual_machine import TPM_SOCKET
from deploy.workstation.programs import Start, run

_QEMU, _TPM = "qemu.pid", "swtpm.pid"
_STOP_SECONDS = 30
_LINES = Start(lines=20)


def make_disk(image: Path, disk: Path, size: str) -> None:
    """Make a disk backed by the image, which is not changed."""
    said = json.loads(run(["qemu-img", "info", "--output=json", str(image)], start=_LINES))
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", str(said["format"])]
    run([*words, "-b", str(image.resolve()), str(disk), size], start=_LINES)


def start(command: tuple[str, ...], home: Path, *, has_tpm: bool) -> None:
    """Start swtpm and QEMU as daemons."""
    if has_tpm:
        socket = home / TPM_SOCKET
        socket.parent.mkdir(exist_ok=True)
        run(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={socket.parent}", "--daemon"),
                *("--ctrl", f"type=unixio,path={socket}", "--terminate"),
                *("--pid", f"file={home / _TPM}"),
            ],
            start=_LINES,
        )
    run([*command, "-daemonize", "-pidfile", str(home / _QEMU)], start=_LINES)


def stop(home: Path) -> None:
    """Stop both and wait until they ended."""
    for name in (_QEMU, _TPM):
        _end(home / name)


def is_alive(home: Path) -> bool:
    """Check whether QEMU runs."""
    return _pid(home / _QEMU) is not None


def _pid(file: Path) -> int | None:
    """Read the id of a process; None when it ended or another process has the id now."""
    try:
        pid = int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if _is_ours(pid, file.parent) else None


def _is_ours(pid: int, home: Path) -> bool:
    try:
        return str(home).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _end(file: Path) -> None:
    pid = _pid(file)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_ours(pid, file.parent) and time.monotonic() < deadline:
        time.sleep(0.1)
