"""The processes of a virtual machine: QEMU and its TPM."""

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
    """Lay a disk over the image, which stays as it is."""
    said = json.loads(run(["qemu-img", "info", "--output=json", str(image)], start=_LINES))
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", str(said["format"])]
    run([*words, "-b", str(image.resolve()), str(disk), size], start=_LINES)


def start(machine: VirtualMachine, home: Path) -> None:
    """Start QEMU, and the TPM beside it, in processes that outlive this one."""
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
    """End both and wait until they are gone."""
    for name in (_QEMU, _TPM):
        _end(home / name)


def is_alive(home: Path) -> bool:
    """Tell whether QEMU runs."""
    file = home / _QEMU
    pid = _pid(file)
    return pid is not None and _is_ours(pid, file)


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _is_ours(pid: int, file: Path) -> bool:
    """Tell our process from one that got its number later: it has our folder in its words."""
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
