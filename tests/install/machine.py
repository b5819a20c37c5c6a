"""A machine under installation, as its operator and a visitor see it."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.media.local_installer import find_installer
from tests.system.page import get
from tests.system.project import Project, Said

NAME = "shop.example.org"
IMAGE = (
    "--installer-option=--image-file=/var/lib/stand-in/image.raw",
    "--installer-option=--insecure",
)
KEYFILE = ("/etc/NetworkManager/system-connections/wired.nmconnection", "[connection]\nid=wired\n")


def installer() -> Path:
    """Find the real coreos-installer; its absence fails under CI, as any tool's."""
    try:
        return find_installer()
    except DeployError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(error.message)
        pytest.skip(error.message)


def with_file(config: bytes, path: str, text: str) -> bytes:
    """Add a private file to an Ignition config."""
    whole = json.loads(config)
    entry = {"path": path, "mode": 0o600, "contents": {"source": f"data:,{_percent(text)}"}}
    whole["storage"]["files"].append(entry)
    return json.dumps(whole).encode()


def _percent(text: str) -> str:
    return "".join(letter if letter.isalnum() else f"%{ord(letter):02X}" for letter in text)


@dataclass(frozen=True, slots=True)
class Installed:
    project: Project
    address: str
    tree: Path

    @property
    def name(self) -> str:
        return self.project.settings["PROJECT"]

    @property
    def app(self) -> str:
        return f"{self.name}-www"

    def install(self, *words: str) -> Said:
        return self.project.fab("install", self.address, *words, *IMAGE, "--timeout", "90")

    def must_install(self, *words: str) -> str:
        said = self.install(*words)
        assert said.code == 0, said.out + self.console
        return said.out

    def must_rebuild(self, *words: str) -> str:
        said = self.project.fab("rebuild", self.address, *words, *IMAGE, "--timeout", "90")
        assert said.code == 0, said.out + self.console
        return said.out

    def fab(self, *words: str) -> str:
        return self.project.must("-H", f"core@{self.address}", *words)

    @property
    def console(self) -> str:
        return (self.tree / "console.log").read_text(errors="replace")

    @property
    def device(self) -> str:
        """Ask the listing, as an operator reads it, for the one disk of the machine."""
        said = self.project.fab("install", self.address, "--own-network", *IMAGE)
        found = re.search(r"^(/dev/loop\d+) ", said.out, re.MULTILINE)
        assert found, said.out
        return found[1]

    def ssh(self, script: str, *, live: bool = False) -> str:
        """Run a script as root on the machine, with the pinned key of the one or the other."""
        pins = "build/media/known_hosts" if live else "certs/known_hosts"
        options = ("-o", f"UserKnownHostsFile={self.project.folder / pins}", "-F", "none")
        identity = ("-i", str(self.project.folder / "id"), "-o", "BatchMode=yes")
        done = subprocess.run(
            ["ssh", *options, *identity, f"core@{self.address}", "sudo bash -euo pipefail -s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def page(self) -> tuple[int, str]:
        authority = self.project.folder / "certs/material/authority/ca.crt"
        return get(self.address, 443, NAME, authority)
