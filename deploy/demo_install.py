"""`make demo-install`: a machine from its medium to a served page, and again with its data."""

import http.client
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deploy import report
from deploy.errors import DeployError
from deploy.installer import find_installer
from deploy.medium import live_config, remember_medium
from deploy.project import Project
from deploy.settings.read import read_settings
from rehearsal import lifecycle
from rehearsal.checkout import checkout
from rehearsal.errors import RehearsalError
from rehearsal.metal import lifecycle as metal
from rehearsal.metal.lifecycle import IMAGE, Machine

_ROOT = Path(__file__).parents[1]
_PROJECT = "demo-metal"
_APP_NAME = "shop.example.org"
_DATA = "kept-data"


@dataclass(frozen=True, slots=True)
class Demo:
    """A copy of the project, and the machine it is about."""

    folder: Path

    def fab(self, *words: str) -> None:
        """Run fab before the watcher's eyes.

        Raises:
            DeployError: when it fails.
        """
        report.say(f"\n$ fab {' '.join(words)}")
        fab = str(Path(sys.executable).with_name("fab"))
        done = subprocess.run([fab, *words], cwd=self.folder, env=self._environment(), check=False)
        if done.returncode:
            raise DeployError(f"`fab {words[0]}` failed", "what it says is above")

    def device(self, address: str) -> str:
        """Read the machine's one disk out of the listing, as its operator does."""
        fab = str(Path(sys.executable).with_name("fab"))
        done = subprocess.run(
            [fab, "install", address, "--own-network"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"^(/dev/\S+)", done.stdout, re.MULTILINE)
        if found is None:
            raise DeployError("the machine shows no disk", done.stderr)
        return found[1]

    def page(self, address: str) -> str:
        """Fetch the page over HTTPS, verified; return its last heading."""
        authority = self.folder / "certs/material/authority/ca.crt"
        context = ssl.create_default_context(cafile=str(authority))
        connection = http.client.HTTPConnection(_APP_NAME, timeout=10)
        with (
            socket.create_connection((address, 443), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=_APP_NAME) as connection.sock,
            closing(connection),
        ):
            connection.request("GET", "/")
            text = connection.getresponse().read().decode()
        return text.rpartition("<h2>")[2].partition("</h2>")[0]

    def _environment(self) -> dict[str, str]:
        kept = {
            key: os.environ[key] for key in ("HOME", "LANG", "PATH", "TERM") if key in os.environ
        }
        return kept | {
            "PROJECT": _PROJECT,
            "SSH_KEYS": "id.pub",
            "IDENTITY_FILE": "id",
            "DATA_PARTITION": _DATA,
            "ROOT_MEGABYTES": "8192",
            "CERT_PASSWORD_COMMAND": f"cat {self.folder / 'cert_pass'}",
            "SMTP_PASSWORD_COMMAND": f"cat {self.folder / 'smtp_pass'}",
        }


def main() -> int:
    """Install, deploy, install again; take the machine down whatever happens."""
    began = time.monotonic()
    demo = Demo(_ROOT / "build/demo-install")
    try:
        _lay_out(demo.folder)
        try:
            _run(demo)
        finally:
            lifecycle.down(_PROJECT, demo.folder)
    except (DeployError, RehearsalError) as error:
        report.fail(error.message, error.hint)
        return 1
    except KeyboardInterrupt:
        report.fail("interrupted", "the machine is gone; run `make demo-install` again")
        return 130
    report.say(f"\nAll of it in {time.monotonic() - began:.0f} s; the machine is gone again.")
    return 0


def _run(demo: Demo) -> None:
    demo.fab("sample-build")
    demo.fab("cert-issue")
    demo.fab("prepare", "--yes")
    report.say("\nA machine with an empty disk is switched on, our medium in it:")
    address = metal.up(_machine(demo.folder), on_step=report.say)
    report.good(f"its live system answers at {address}")
    image = ("--image-file", IMAGE, "--insecure", "--own-network", "--device", demo.device(address))
    demo.fab("install", address, *image)
    demo.fab("-H", f"core@{address}", "deploy", "--first")
    report.good(f"https://{_APP_NAME}/ at {address} says “{demo.page(address)}”")
    report.say("\nThe same machine again, from its medium; the data partition is kept:")
    metal.boot_order(_PROJECT, "medium")
    metal.restart(_PROJECT)
    metal.boot_order(_PROJECT, "disk")
    device = demo.device(address)
    again = (*image[:-1], device, "--wipe", device)
    demo.fab("rebuild", address, *again)
    report.good(f"https://{_APP_NAME}/ at {address} says “{demo.page(address)}”")


def _machine(folder: Path) -> Machine:
    config, key = live_config(Project(folder, read_settings(folder, None, {})))
    remember_medium(folder, key)
    live = folder / "live.ign"
    live.touch(mode=0o600)
    live.write_bytes(config)
    return Machine(_PROJECT, folder, live, find_installer(), folder / "id")


def _lay_out(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    checkout(_ROOT, folder)
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(folder / "id")]
    subprocess.run(key, check=True)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    lines = [line for line in example.splitlines() if not line.startswith("SSH_KEYS=")]
    (folder / ".env").touch(mode=0o600)
    (folder / ".env").write_text("\n".join([*lines, "SSH_KEYS=id.pub"]) + "\n", encoding="utf-8")
    for name in ("cert_pass", "smtp_pass"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secrets.token_urlsafe(24), encoding="ascii")


if __name__ == "__main__":
    raise SystemExit(main())
