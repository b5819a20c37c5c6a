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
from rehearsal.wait import PAUSE_SECONDS

BOOT_SECONDS = 120.0
SSH_PORT = 22
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SETTLED = ("running", "degraded")


@dataclass(frozen=True, slots=True)
class Login:
    """User and private key for the test login; without a key, check sshd's greeting only."""

    user: str = "core"
    identity: Path | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a node's systemd settled in one of its boots."""

    boot_id: str
    state: str
    failed_units: tuple[str, ...]
    port: int


class Watch:
    """Wait for a node; every wait ends when the node ends or the time is up."""

    def __init__(self, folder: Folder, network: Network, seconds: float = BOOT_SECONDS) -> None:
        self.folder = folder
        self.network = network
        self.deadline = time.monotonic() + seconds

    def up(self, login: Login, *, other_than: str = "") -> Health:
        """Wait until systemd has settled and a login works, in another boot than the given one."""
        boot_id = self._boot(other_than)
        state = self._settled()
        self._until_nologin_gone()
        port = ssh_port(self.network)
        pin(self.folder, self.network, port)
        self._until_login(login, port)
        return Health(boot_id, state, failed_units(self.network), port)

    def _boot(self, other_than: str) -> str:
        while (found := boot_id(self.network)) in ("", other_than):
            self._pause("it did not boot")
        return found

    def _settled(self) -> str:
        while True:
            said = inside(self.network, ["systemctl", "is-system-running", "--wait"], self._left())
            if said in SETTLED:
                return said
            self._pause(f"systemd did not settle{_unfinished(self.network)}")

    def _until_nologin_gone(self) -> None:
        while (pid := machine.leader(self.network)) is None or Path(
            f"/proc/{pid}/root/run/nologin"
        ).exists():
            self._pause("/run/nologin stayed")

    def _until_login(self, login: Login, port: int) -> None:
        while problem := _refusal(self.folder, f"{self.network.address}", port, login):
            self._pause(f"no SSH login as {login.user}: {problem}")

    def _left(self) -> float:
        return max(self.deadline - time.monotonic(), 1.0)

    def _pause(self, problem: str) -> None:
        dead = not machine.running(self.folder)
        if dead or time.monotonic() > self.deadline:
            cause = "its processes ended" if dead else problem
            raise RehearsalError(
                f"node {self.folder.name} did not come up: {cause}", _tail(self.folder.console)
            )
        time.sleep(PAUSE_SECONDS)


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


def ssh_port(network: Network) -> int:
    """Ask the node's sshd which port it listens on."""
    said = inside(network, ["sshd", "-T"], 10).splitlines()
    return next((int(line.split()[1]) for line in said if line.startswith("port ")), SSH_PORT)


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


def _tail(path: Path, count: int = 15) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(["the console's last lines:", *lines[-count:]]) if lines else ""
