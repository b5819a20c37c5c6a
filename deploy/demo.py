"""`make demo`: the main job on a rehearsal node, from .env.example to a rotated certificate."""

import http.client
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from deploy import report
from deploy.errors import DeployError
from rehearsal import lifecycle
from rehearsal.checkout import checkout
from rehearsal.errors import RehearsalError

_ROOT = Path(__file__).parents[1]
_PROJECT = "demo"
_NAME = "shop.example.org"
_LONGEST_SECONDS = 600


@dataclass(slots=True)
class Demo:
    """A rehearsal of the whole job, in a copy of the project."""

    folder: Path
    done: list[tuple[str, str, str]] = field(default_factory=list)

    def step(self, summary: str, action: Callable[[], str]) -> None:
        """Do a step, say in a line what came of it, and how long it took."""
        began = time.monotonic()
        outcome = action()
        seconds = f"{time.monotonic() - began:.1f} s"
        report.good(f"{summary}: {outcome} ({seconds})")
        self.done.append((summary, outcome, seconds))

    def fab(self, *words: str) -> str:
        """Run fab as an operator would; give back what it said.

        Raises:
            DeployError: with all it said, when it fails.
        """
        fab = str(Path(sys.executable).with_name("fab"))
        done = subprocess.run(
            [fab, *words],
            cwd=self.folder,
            env=_environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        if done.returncode:
            raise DeployError(f"`fab {' '.join(words)}` failed:\n{done.stdout.strip()}")
        return done.stdout.strip()

    def last(self, *words: str) -> str:
        """Run fab and give back its last line, without the tick."""
        return self.fab(*words).splitlines()[-1].removeprefix("✓ ")

    def page(self) -> str:
        """Fetch the page over HTTPS, verified against the demo's authority; its last heading."""
        context = ssl.create_default_context(cafile=self.folder / "certs/material/authority/ca.crt")
        address = _address()
        connection = http.client.HTTPConnection(_NAME, timeout=10)
        with (
            socket.create_connection((address, 443), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=_NAME) as connection.sock,
            closing(connection),
        ):
            connection.request("GET", "/")
            text = connection.getresponse().read().decode()
        heading = text.rpartition("<h2>")[2].partition("</h2>")[0]
        return f"https://{_NAME}/ at {address} says “{heading}”"

    def change_page(self) -> str:
        """Change a project file and deploy it; the page must say so."""
        text = f"Cake since {time.strftime('%H:%M:%S')}"
        page = self.folder / "container/sample/files/index.html"
        page.write_text(f"<h2>{text}</h2>\n", encoding="utf-8")
        self.fab("deploy")
        shown = self.page()
        if text not in shown:
            raise DeployError(f"the page was not changed: {shown}")
        return shown

    def certificates(self) -> str:
        """Compare the certificate here, on the node and as served."""
        rows = self.fab("cert-status").splitlines()
        marks = [row.strip() for row in rows if row.strip().startswith("serial ")]
        if len(marks) != 1 or not any("have the same certificate" in row for row in rows):
            raise DeployError(
                "workstation, node, container and endpoint show different certificates"
            )
        return f"workstation, node, container and endpoint agree, {marks[0]}"


def main() -> int:
    """Rehearse; take the node down whatever happens; show a summary."""
    began = time.monotonic()
    demo = Demo(_ROOT / "build/demo")
    try:
        _lay_out(demo.folder)
        try:
            _run(demo)
        finally:
            demo.step("node down", lambda: _node_down(demo.folder))
    except (DeployError, RehearsalError) as error:
        report.fail(error.message, error.hint)
        return 1
    except KeyboardInterrupt:
        report.fail("interrupted", "the node is gone; run `make demo` again")
        return 130
    report.say("")
    report.table("What happened", ("step", "outcome", "time"), demo.done)
    report.say(
        f"\nAll of it in {time.monotonic() - began:.0f} s. To go on by yourself, do the same:"
    )
    report.say("  cp .env.example .env    then `fab --list`, and the README's first page")
    return 0


def _node_down(folder: Path) -> str:
    return "gone" if lifecycle.down(_PROJECT, folder) else "was not up"


def _run(demo: Demo) -> None:
    demo.step("certificate", lambda: demo.fab("cert-issue").splitlines()[1].removeprefix("✓ "))
    demo.step("sample image", lambda: demo.last("sample-build"))
    demo.step(
        "machine spec", lambda: demo.fab("prepare", "--yes").splitlines()[0].removeprefix("✓ ")
    )
    demo.step("rehearsal node", lambda: demo.last("node-up"))
    demo.step("first deploy", lambda: demo.last("deploy", "--first"))
    demo.step("verified page", demo.page)
    demo.step("changed page", demo.change_page)
    demo.step("same again", lambda: demo.last("deploy"))
    demo.step("rotation", lambda: demo.last("cert-rotate-https"))
    demo.step("cert-status", demo.certificates)


def _lay_out(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    checkout(_ROOT, folder)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    (folder / ".env").touch(mode=0o600)
    (folder / ".env").write_text(example, encoding="utf-8")
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(folder / "id")]
    subprocess.run(key, check=True)
    for name in ("cert_pass", "smtp_pass"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secrets.token_urlsafe(24), encoding="ascii")


def _environment(folder: Path) -> dict[str, str]:
    """Override of .env.example what differs between machines: whose key, which passwords."""
    return {key: value for key, value in os.environ.items() if key in {"HOME", "LANG", "PATH"}} | {
        "PROJECT": _PROJECT,
        "SSH_KEYS": "id.pub",
        "IDENTITY_FILE": "id",
        "CERT_PASSWORD_COMMAND": f"cat {folder / 'cert_pass'}",
        "SMTP_PASSWORD_COMMAND": f"cat {folder / 'smtp_pass'}",
    }


def _address() -> str:
    found = lifecycle.find(_PROJECT)
    if found is None:
        raise DeployError("the demo's node is not up")
    return found.address


if __name__ == "__main__":
    raise SystemExit(main())
