"""A checkout of its own, as a new user has it, and `fab` in it."""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal import lifecycle, machine, places, ready, state
from rehearsal.node import NodeStatus
from rehearsal.ready import Login
from tests.root import ROOT

# Never leaves the workstation; no node may have it.
AUTHORITY_PASSWORD = secrets.token_urlsafe(24)
FAB = Path(sys.executable).with_name("fab")
# What sshd wrote on a node; the journal is first made to write what it has received.
SSHD_LOG = "journalctl --sync; journalctl -q -u ssh -u sshd -o cat"


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str


@dataclass(slots=True)
class Project:
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    # What a command may take; user@host:port of a machine that is no rehearsal node.
    seconds: float = field(default=240, kw_only=True)
    login: str = field(default="", kw_only=True)

    def fab(self, *words: str, **settings: str) -> Said:
        """Run fab to its end; its output is kept in one piece, as a person sees it."""
        done = subprocess.run(
            [FAB, *words],
            cwd=self.folder,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.seconds,
            check=False,
        )
        return Said(done.returncode, done.stdout)

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [FAB, *words],
            cwd=self.folder,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def environment(self, **settings: str) -> dict[str, str]:
        kept = ("PATH", "HOME", "LANG", "REHEARSAL_SUITE")
        keep = {key: os.environ[key] for key in kept if key in os.environ}
        return keep | {"PYTHONUNBUFFERED": "1"} | settings

    def must(self, *words: str, **settings: str) -> str:
        said = self.fab(*words, **settings)
        assert said.code == 0, said.out
        return said.out

    @property
    def node(self) -> NodeStatus:
        return next(one for one in lifecycle.status() if one.name == self.settings["PROJECT"])

    @property
    def gateway(self) -> str:
        """The address of this machine as the node sees it."""
        record = state.load(places.folder(self.settings["PROJECT"]))
        assert record
        return str(record.network.gateway)

    def reboot(self) -> None:
        """Restart the node as `systemctl reboot` does, and wait until it is ready again."""
        login = Login(identity=self.folder / "id")
        lifecycle.reboot(self.settings["PROJECT"], self.folder, login=login)

    def cut_power(self) -> None:
        """Kill all of the node at once, and boot it from what is on its disk."""
        folder = places.folder(self.settings["PROJECT"])
        record = state.load(folder)
        assert record
        with folder.alone():
            machine.stop(folder, record.network)
            machine.start(folder, places.cache() / record.base, record.network)
            machine.await_start(folder)
            ready.wait(folder, record.network, Login(identity=self.folder / "id"))

    def node_down(self) -> None:
        """Remove the node, whatever state it is in."""
        lifecycle.down(self.settings["PROJECT"], self.folder)

    def container(self, name: str = "www") -> str:
        """Name the container, and the unit, of the slot that serves."""
        home = f"/var/lib/{self.settings['PROJECT']}-{name}"
        slot = self.ssh(f"[ {home}/blue -ef {home}/current ] && echo blue || echo green").strip()
        return f"{self.settings['PROJECT']}-{name}-{slot}"

    def ssh(self, script: str, *, seconds: float = 60) -> str:
        """Run a script as root on the node."""
        pins = self.folder / "certs/known_hosts"
        options = ("-o", f"UserKnownHostsFile={pins}", "-o", "BatchMode=yes", "-F", "none")
        identity = ("-i", str(self.folder / "id"))
        host = f"ssh://{self.login}" if self.login else f"core@{self.node.address}"
        done = subprocess.run(
            ["ssh", *options, *identity, host, "sudo", "bash", "-euo", "pipefail", "-s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def logins(project: Project) -> int:
    """Count the logins on the node until now, with the one for this."""
    return int(project.ssh(f"{SSHD_LOG} | grep -c 'Accepted publickey'"))


def make_project(folder: Path, project: str, **settings: str) -> Project:
    """Copy the project, write .env from .env.example, make a key pair."""
    subprocess.run([ROOT / "scripts/checkout", folder], check=True)
    usual = {"AUTHORITY_PASSWORD": AUTHORITY_PASSWORD, "TLS": "app"}
    usual["CERT_NAMES"] = "shop.example.org, www.shop.example.org"
    return configure(folder, project, **usual | settings)


def configure(folder: Path, project: str, **settings: str) -> Project:
    """Write .env from the .env.example of a copy of the project, and make a key pair."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True)
    chosen = {"PROJECT": project, "SSH_KEYS": "id.pub", "IDENTITY_FILE": "id"} | settings
    write_settings(folder / ".env", (folder / ".env.example").read_text(), chosen)
    return Project(folder, chosen)


def write_settings(file: Path, example: str, chosen: dict[str, str]) -> None:
    lines = [line for line in example.splitlines() if line.partition("=")[0] not in chosen]
    lines += [f"{key}={value}" for key, value in chosen.items()]
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")
