"""What the tests on rehearsal nodes share: a key, a machine spec, words said to a node."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal import lifecycle, programs
from rehearsal.node import Node, NodeStatus
from rehearsal.ready import BOOT_SECONDS, Login
from tests.root import ROOT

OWNER = ROOT  # these tests' nodes belong to the checkout

HELLO = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/hello

[Install]
WantedBy=multi-user.target
"""


def own_name(name: str) -> str:
    """Name a node of this test run: a node that another run left has another name."""
    return f"{name}-{os.getpid()}"


def require_nodes() -> None:
    """Skip where no node can be booted; under CI that is a failure."""
    lacking = [*programs.missing(), *(["root"] if os.geteuid() else [])]
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"rehearsal nodes lack: {', '.join(lacking)}")
    if lacking:
        pytest.skip(f"rehearsal nodes lack: {', '.join(lacking)}")


def keypair(folder: Path) -> Path:
    """Make a throwaway SSH key and return its private half."""
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def machine_spec(folder: Path, key: Path, *, hostname: str = "rehearsed", **more: Any) -> Path:
    """Write an Ignition file: a key for core, a host name, a unit on, a unit off."""
    public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    spec: dict[str, Any] = {
        "ignition": {"version": "3.3.0"},
        "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": [public]}]},
        "storage": {
            "files": [{"path": "/etc/hostname", "contents": {"source": f"data:,{hostname}"}}]
        },
        "systemd": {
            "units": [
                {"name": "hello.service", "enabled": True, "contents": HELLO},
                {"name": "quiet.service", "enabled": False, "contents": HELLO},
            ]
        },
        **more,
    }
    path = folder / f"{hostname}.ign"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def up(name: str, spec: Path, key: Path | None = None) -> Node:
    """Boot a node of this checkout; with a key, core logs in with it."""
    return lifecycle.up(name, spec, OWNER, login=Login(identity=key))


def down(name: str) -> NodeStatus | None:
    """Remove a node of this checkout."""
    return lifecycle.down(name, OWNER)


def reboot(name: str, key: Path, seconds: float = BOOT_SECONDS) -> Node:
    """Restart a node of this checkout, where core logs in with the key."""
    return lifecycle.reboot(name, OWNER, login=Login(identity=key), seconds=seconds)


@dataclass(frozen=True, slots=True)
class Shell:
    """A node as one reaches it: over SSH, with its host key pinned."""

    node: Node
    key: Path

    def attempt(self, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command line on the node, whatever comes of it."""
        words = [
            *("ssh", "-F", "none", "-i", str(self.key), "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=yes"),
            *("-o", f"UserKnownHostsFile={self.node.tree / 'known_hosts'}"),
            *(f"core@{self.node.address}", command),
        ]
        return subprocess.run(words, input=stdin, capture_output=True, check=False)

    def run(self, command: str, stdin: bytes = b"") -> str:
        """Run a command line on the node and return what it printed; it must succeed."""
        result = self.attempt(command, stdin)
        assert result.returncode == 0, (command, result.stdout, result.stderr)
        return result.stdout.decode()
