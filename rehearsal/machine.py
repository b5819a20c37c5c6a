"""The processes of a node: a supervisor, systemd-nspawn, and the node's own PID 1."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rehearsal import cgroup, programs, provision
from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from rehearsal.places import Folder

HERE = Path(__file__).parent
START_SECONDS = 20.0
STOP_SECONDS = 20.0
END_SECONDS = 120.0
PAUSE_SECONDS = 0.05


def start(folder: Folder, base: Path, network: Network) -> None:
    """Boot the node in processes that outlive this one."""
    command = provision.inside(folder, base, supervised(folder, network, nspawn(folder, network)))
    launch(folder, network, command)


def supervised(folder: Folder, network: Network, command: list[str]) -> list[str]:
    """Boot under the supervisor, which boots again each time the node reboots."""
    own = str(cgroup.create(network) or "")
    return [str(HERE / "supervise.sh"), str(folder.pidfile), own, *command]


def launch(
    folder: Folder, network: Network, command: list[str], *, env: Mapping[str, str] | None = None
) -> None:
    """Start a supervised command in the node's network, in processes that outlive this one."""
    folder.pidfile.unlink(missing_ok=True)
    # The whole of it runs in the node's network: the node's /sys shows that one's interfaces,
    # and whatever is left of a node that was cut off can be found by its network.
    joined = ["nsenter", f"--net={network.path}", "--", *command]
    everything = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", **(env or {})}
    programs.detach(joined, output=folder.console, env=everything)


def nspawn(folder: Folder, network: Network, *more: str) -> list[str]:
    """Boot the tree as a container, in the network namespace of this process."""
    words = [
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--console=pipe"),
        *(f"--directory={provision.ROOT}", f"--machine={network.namespace}"),
        f"--hostname={folder.name}",
        *("--capability=all", "--system-call-filter=@keyring bpf"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *more,
    ]
    # Where systemd runs this machine, nspawn gets a scope of its own from it.
    return words if cgroup.systemd_runs_here() else [*words, "--keep-unit"]


def await_start(folder: Folder) -> None:
    """Wait until the supervisor has written its pid."""
    _wait(folder.pidfile.exists, START_SECONDS, f"node {folder.name} was not started")


def await_end(folder: Folder) -> None:
    """Wait until a node that was told to power off has ended."""
    _wait(lambda: not running(folder), END_SECONDS, f"node {folder.name} did not power off")


def running(folder: Folder) -> bool:
    """Tell whether the node's supervisor is alive."""
    return supervisor(folder) is not None


def supervisor(folder: Folder) -> int | None:
    """Find the pid of the supervisor; never that of a process that reuses the number."""
    try:
        pid, started, boot = folder.pidfile.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    if boot != Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip():
        return None
    return int(pid) if _start_time(int(pid)) == started else None


def leader(network: Network) -> int | None:
    """Find the node's PID 1, by its number on this machine."""
    return next(iter(boots(network)), None)


def boots(network: Network) -> tuple[int, ...]:
    """List every PID 1 that runs in the node's network; a healthy node has one."""
    depth = len(_namespace_pids(os.getpid())) + 1
    numbers = {pid: _namespace_pids(pid) for pid in network.processes()}
    return tuple(pid for pid, own in numbers.items() if len(own) == depth and own[-1] == "1")


def stop(folder: Folder, network: Network | None) -> None:
    """Kill the node's processes and wait until they have ended."""
    if pid := supervisor(folder):
        _kill(pid)
    if network is None:
        return

    def gone() -> bool:
        alive = network.processes()
        for process in alive:
            _kill(process)
        return not alive and not running(folder) and cgroup.remove(network)

    _wait(gone, STOP_SECONDS, f"the processes of node {folder.name} did not end")


def _wait(reached: Callable[[], bool], seconds: float, problem: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise RehearsalError(f"{problem} within {seconds:.0f} s")
        time.sleep(PAUSE_SECONDS)


def _start_time(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _namespace_pids(pid: int) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return []
    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return line.split()[1:]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
