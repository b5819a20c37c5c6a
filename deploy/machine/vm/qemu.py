"""Start and stop the processes of a virtual machine: QEMU and swtpm."""

import json
import os
import signal
import time
from pathlib import Path

from deploy.machine.vm.plan.virtual_machine import VirtualMachine, qemu
from deploy.workstation.programs import Start, run

_QEMU, _TPM = "qemu.pid", "swtpm.pid"
_STOP_SECONDS = 30
_LINES = Start(lines=20)


def make_disk(image: Path, disk: Path, size: str) -> None:
    """Make a disk backed by the image, which is not changed."""
    said = json.loads(run(["qemu-img", "info", "--output=json", str(image)], start=_LINES))
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", str(said["format"])]
    run([*words, "-b", str(image.resolve()), str(disk), size], start=_LINES)


def start(machine: VirtualMachine, home: Path) -> None:
    """Start swtpm and QEMU as daemons."""
    if machine.tpm:
        state = Path(machine.tpm).parent
        state.mkdir(exist_ok=True)
        run(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--daemon"),
                *("--ctrl", f"type=unixio,path={machine.tpm}", "--terminate"),
                *("--pid", f"file={home / _TPM}"),
            ],
            start=_LINES,
        )
    run([*qemu(machine), "-daemonize", "-pidfile", str(home / _QEMU)], start=_LINES)


def stop(home: Path) -> None:
    """Stop both and wait until they ended."""
    for name in (_QEMU, _TPM):
        _end(home / name)


def is_alive(home: Path) -> bool:
    """Check whether QEMU runs."""
    file = home / _QEMU
    pid = _pid(file)
    return pid is not None and _is_ours(pid, file)


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _is_ours(pid: int, file: Path) -> bool:
    """Check that a process has our folder in its command line: its id may have been reused."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(file.parent).encode() in words


def _end(file: Path) -> None:
    pid = _pid(file)
    if pid is None or not _is_ours(pid, file):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_ours(pid, file) and time.monotonic() < deadline:
        time.sleep(0.1)
