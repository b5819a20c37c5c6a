"""Wait until a node is ready."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from rehearsal import machine, programs
from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from rehearsal.places import Folder
from rehearsal.state import write_private

BOOT_SECONDS = 120.0
SSH_PORT = 22
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MASKED = "/dev/null"
SETTLED = ("running", "degraded")
SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Login:
    """User and private key for the test login; without a key, check sshd's greeting only."""

    user: str = "core"
    identity: Path | None = None


def wait(
    folder: Folder,
    network: Network,
    login: Login,
    *,
    other_than: str = "",
    seconds: float = BOOT_SECONDS,
) -> int:
    """Wait until systemd has settled and a login works, in another boot than the given one.

    On a node whose spec masks sshd, no login is tried. Returns sshd's port. Raises when the node
    ends or the time is up.
    """
    deadline = time.monotonic() + seconds

    def pause(problem: str) -> None:
        dead = not machine.running(folder)
        if dead or time.monotonic() > deadline:
            cause = "its processes ended" if dead else problem
            raise RehearsalError(
                f"node {folder.name} did not come up: {cause}", _tail(folder.console)
            )
        time.sleep(machine.PAUSE_SECONDS)

    while boot_id(network) in ("", other_than):
        pause("it did not boot")
    settle = ["systemctl", "is-system-running", "--wait"]
    # A node that restarts stops what has entered it, and waits for its end.
    while inside(network, settle, SETTLE_SECONDS) not in SETTLED:
        pause(f"systemd did not settle{_unfinished(network)}")
    while (pid := machine.leader(network)) is None or Path(
        f"/proc/{pid}/root/run/nologin"
    ).exists():
        pause("/run/nologin stayed")
    if not has_ssh(folder):
        return SSH_PORT
    port = ssh_port(network)
    pin(folder, network, port)
    while problem := _refusal(folder, str(network.address), port, login):
        pause(f"no SSH login as {login.user}: {problem}")
    return port


def reboot(folder: Folder, network: Network, login: Login, seconds: float = BOOT_SECONDS) -> int:
    """Restart a node as `systemctl reboot` does, wait until it is ready, return sshd's port."""
    before = boot_id(network)
    inside(network, ["systemctl", "reboot"], 10)
    return wait(folder, network, login, other_than=before, seconds=seconds)


def boot_id(network: Network) -> str:
    """Read the boot id inside the node; empty while it has none."""
    if (pid := machine.leader(network)) is None:
        return ""
    try:
        found = Path(f"/proc/{pid}/root{BOOT_ID}").read_text(encoding="ascii")
    except OSError:
        return ""
    # Until systemd-nspawn is done, its child still sees the workstation.
    return "" if found == BOOT_ID.read_text(encoding="ascii") else found.strip()


def failed_units(network: Network) -> tuple[str, ...]:
    """List the units that failed."""
    words = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--full"]
    said = inside(network, words, 10)
    return tuple(line.split()[0] for line in said.splitlines())


def inside(network: Network, words: list[str], seconds: float) -> str:
    """Run a command inside the node as root; empty output if the node cannot be entered."""
    pid = machine.leader(network)
    # Never enter a node that is not set up yet: the command would meet the workstation's systemd.
    if pid is None or not boot_id(network):
        return ""
    enter = ["nsenter", f"--target={pid}", "--all", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin"]
    return programs.attempt([*enter, *words], timeout_seconds=seconds).stdout.strip()


def host_keys(folder: Folder) -> tuple[str, ...]:
    """Read the node's public host keys from its tree, as `TYPE BASE64`."""
    files = sorted((folder.etc / "ssh").glob("ssh_host_*_key.pub"))
    return tuple(" ".join(file.read_text(encoding="ascii").split()[:2]) for file in files)


def has_ssh(folder: Folder) -> bool:
    """Tell whether a node lets anybody log in over SSH: its spec does not mask sshd."""
    unit = folder.etc / "systemd/system/sshd.service"
    return not unit.is_symlink() or str(unit.readlink()) != MASKED


def ssh_port(network: Network) -> int:
    """Ask the node's sshd which port it listens on."""
    said = inside(network, ["sshd", "-T"], 10).splitlines()
    # In lower case up to OpenSSH 10.5.
    ports = (int(line.split()[1]) for line in said if line.lower().startswith("port "))
    return next(ports, SSH_PORT)


def pin(folder: Folder, network: Network, port: int) -> None:
    """Write the node's host keys to its known_hosts."""
    forms = "{0}" if port == SSH_PORT else "[{0}]:{1}"
    names = ",".join(forms.format(name, port) for name in (network.address, network.address6))
    lines = "".join(f"{names} {key}\n" for key in host_keys(folder))
    write_private(folder.known_hosts, lines.encode())


def _refusal(folder: Folder, address: str, port: int, login: Login) -> str:
    if login.identity is None:
        return _no_greeting(address, port)
    words = [
        *("ssh", "-F", "none", "-i", str(login.identity), "-o", "BatchMode=yes"),
        *("-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={folder.known_hosts}", "-o", "GlobalKnownHostsFile=none"),
        *("-o", "ConnectTimeout=5", "-p", str(port), f"{login.user}@{address}", "true"),
    ]
    result = programs.attempt(words, timeout_seconds=15)
    return (result.stderr.strip() or "refused") if result.returncode else ""


def _no_greeting(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return "" if connection.recv(4) == b"SSH-" else "sshd sent no greeting"
    except OSError as error:
        return str(error)


def _unfinished(network: Network) -> str:
    said = inside(network, ["systemctl", "list-jobs", "--no-legend", "--full"], 10)
    running = [line.split()[1] for line in said.splitlines() if line.split()[-1:] == ["running"]]
    return f": still starting {', '.join(running)}" if running else ""


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(["the console's last lines:", *lines[-15:]]) if lines else ""
