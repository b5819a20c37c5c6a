"""A machine without SSH that is born with its proxy and an app from a registry of its own."""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import places, ready, state
from tests.images import build_image, remove_images
from tests.system import outside, visited
from tests.system.bundled import Shelf, audit_lines
from tests.system.leaks import files_with
from tests.system.outside import Outside
from tests.system.project import Project, make_project
from tests.system.proxied import connected
from tests.system.visitors import Visits, visiting

LIVE = "example.org"
# The hash of a password that is not known.
HASH = "$y$j9T$0123456789abcdef01234$0123456789012345678901234567890123456789012"
CLOSED = {
    "TLS": "proxy", "CERT_FROM": "node", "CERT_NAMES": LIVE, "SSH": "off",
    "CONSOLE_PASSWORD_HASH": HASH, "PULL_EVERY": "*:*:0/5", "PULL_SPREAD": "0", "NOTIFY": "false",
    "WATCHDOG_SECONDS": "0", "HEALTH_PATH": "/", "PROJECT_FILES": "", "SMTP_HOST": "",
    "SETTLE_SECONDS": "0", "HEALTH_TIMEOUT_SECONDS": "30", "DATA_PARTITION": "kept-data",
    "DRAIN_SECONDS": "2",
}  # fmt: skip


@dataclass(slots=True)
class Machine(Project):
    """A project whose machine has no SSH; its state is read from its files."""

    world: Outside = field(kw_only=True)
    kept: Path = field(kw_only=True)

    @property
    def app(self) -> str:
        return f"{self.settings['PROJECT']}-www"

    @property
    def image(self) -> str:
        """The app's image; those beside it begin with its name."""
        return self.settings["IMAGE"]

    @property
    def base(self) -> str:
        return f"{self.image.removesuffix(':latest')}:base"

    @property
    def caddy(self) -> str:
        return f"{self.image.removesuffix(':latest')}-caddy:latest"

    @property
    def proxy_image(self) -> str:
        return self.settings["PROXY_IMAGE"]

    def publish(
        self, page: str, *words: str, tag: str = "live", more: str = "", **settings: str
    ) -> None:
        """Publish an image that shows a page."""
        visited.build(self.image, self.folder, self.base, f'ENV GREETING="{page}"', more)
        named = {"PULL": f"{self.world.registry.address}/shop/www:{tag}"}
        self.must("publish", *words, **named | settings)

    def publish_caddy(self, mark: str) -> str:
        """Publish an image of the proxy; return its id."""
        text = f"FROM {self.proxy_image}\nLABEL mark={mark}\n"
        build_image(self.caddy, text, self.folder, form="docker")
        self.must(
            "publish", IMAGE=self.caddy, PULL=f"{self.world.registry.address}/shop/caddy:live"
        )
        look = ["podman", "image", "inspect", "--format", "sha256:{{.Id}}", self.caddy]
        return subprocess.run(look, check=True, capture_output=True, text=True).stdout.strip()

    def boot(self, *words: str) -> None:
        """Boot a node from the Ignition file, and tell the authority where it is."""
        # The address of one that is there may be another.
        self.node_down()
        process = self.start("rehearsal-up", *words)
        try:
            self.world.visit(outside.await_address(self.settings["PROJECT"]))
        finally:
            said, _ = process.communicate(timeout=outside.PATIENCE_SECONDS)
        assert process.returncode == 0, said

    def await_page(self, name: str, wanted: str) -> None:
        try:
            outside.until(lambda: wanted if self.page(name) == wanted else "", f"{name}: {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.page(name)}; {self.said()}") from error

    @contextmanager
    def visited(self) -> Iterator[Visits]:
        """Have visitors of the live app all through a block, who notice nothing."""
        with visiting(self.node.address, LIVE, self.world.authority) as found:
            yield found
        assert found.failures == []
        assert found.answers > 0

    def page(self, name: str) -> str:
        """Read the page that visitors see; in words why there is none."""
        trusted = ssl.create_default_context(cafile=str(self.world.authority))
        try:
            with connected(self, name, trusted=trusted) as connection:
                connection.request("GET", "/")
                return connection.getresponse().read().decode()
        except OSError as error:
            return str(error)

    def certificate(self, name: str) -> str:
        """Read the certificate that visitors see, as its hash."""
        trusted = ssl.create_default_context(cafile=str(self.world.authority))
        with connected(self, name, trusted=trusted) as connection:
            assert isinstance(connection.sock, ssl.SSLSocket)
            shown = connection.sock.getpeercert(binary_form=True)
        return hashlib.sha256(shown or b"").hexdigest()

    def status(self, app: str = "") -> dict[str, str]:
        """Read the result of an updater's last look; nothing before the first."""
        path = self.node.tree / f"var/lib/corefab/pull/{app or self.app}/status.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def await_result(self, wanted: str, app: str = "") -> dict[str, str]:
        try:
            outside.await_result(self.settings["PROJECT"], app or self.app, wanted)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status(app)} {self.said()}") from error
        return self.status(app)

    def overlay(self, path: str, text: str, unit: str = "") -> None:
        """Have the machine spec bring a file, and a unit of it; an empty text takes it away."""
        file = self.folder / "butane/overlays/own.bu"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if text:
            place = {"path": path, "contents": {"inline": text}}
            units = [{"name": unit, "enabled": True}] if unit else []
            found = {"variant": "fcos", "version": "1.4.0", "storage": {"files": [place]}}
            file.write_text(json.dumps(found | {"systemd": {"units": units}}))

    def configure(self, result: str) -> None:
        """Publish the machine's configuration, and wait for what comes of it."""
        said = self.must("publish", "--node")
        serial = int(said.rpartition("(serial ")[2].partition(")")[0])
        wanted = (serial, result)
        outside.until(lambda: "yes" if self.bundle() == wanted else "", f"bundle {result}")

    def command(self, *words: str) -> dict[str, str]:
        """Publish a command; wait until the node has noted what came of it."""
        said = self.must("node-command", *words)
        wanted = f"{said.rpartition('(serial ')[2].partition(')')[0]}: {words[0]}"
        outside.until(lambda: "yes" if self.noted(wanted) else "", wanted)
        (line,) = self.noted(wanted)
        return line

    def noted(self, wanted: str) -> list[dict[str, str]]:
        """Read the lines of the node's journal of changes about a command."""
        lines = audit_lines(self.node.tree)
        return [one for one in lines if one["what"] == "command" and wanted in one["detail"]]

    def bundle(self) -> tuple[int, str]:
        """Read the serial of the bundle that the node looked at last, and what came of it."""
        status = self.status("node")
        return int(status.get("serial", 0)), status.get("result", "")

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.folder, self.world.registry.root)

    def await_refusal(self, why: str) -> None:
        """Wait until the node has refused its bundle, and says why."""
        assert self.await_why(why, "node") == "refused"

    def await_why(self, why: str, app: str = "") -> str:
        """Wait until an updater says why it did nothing; return its result."""
        outside.until(lambda: "yes" if why in self.status(app).get("why", "") else "", why)
        return self.status(app)["result"]

    def container(self, name: str = "www") -> str:
        """Name the container, and the unit, of the slot that serves; empty while none does."""
        app = f"{self.settings['PROJECT']}-{name}"
        home = self.node.tree / f"var/lib/{app}"
        serving = (home / "current").readlink()
        slots = [one for one in ("blue", "green") if (home / one).is_symlink()]
        return next((f"{app}-{one}" for one in slots if (home / one).readlink() == serving), "")

    def credential(self, name: str) -> str:
        """Read the credential that an app's container has; empty while it is not there."""
        # The image has no program that could read it.
        slot = self.container(name)
        main = self.inside("systemctl", "show", "-P", "MainPID", f"{slot}.service").strip()
        children = self.inside("pgrep", "-P", main).split() if slot else []
        return self.inside("cat", f"/proc/{children[0]}/root/run/secrets/token") if children else ""

    def holding(self, text: str) -> set[str]:
        """Name the places in which a text is: the node's disk, its journal, the registry."""
        disk = (self.node.tree / one for one in ("etc", "var", "root", "home"))
        found = {"disk"} if files_with([text], *disk, scratch=self.folder) else set()
        self.inside("journalctl", "--sync")
        if text in self.inside("journalctl", "-q", "--no-pager", "-o", "cat"):
            found.add("journal")
        blobs = (one for one in self.world.registry.store.rglob("*") if one.is_file())
        if any(text.encode() in _unpacked(one.read_bytes()) for one in blobs):
            found.add("registry")
        return found

    def in_memory(self, text: str) -> set[str]:
        """List the files of the node's memory in which a text is."""
        # Files vanish meanwhile, which grep takes for a failure.
        search = ("bash", "-c", 'grep -rlsaF -D skip "$1" /run || true', "bash", text)
        return set(self.inside(*search).split())

    def inside(self, *words: str, seconds: float = 20) -> str:
        """Run a command on the node by entering it: there is no login."""
        record = state.load(places.folder(self.settings["PROJECT"]))
        assert record
        return ready.inside(record.network, list(words), seconds)

    def look(self, *words: str) -> dict[str, Any]:
        """Read what a command shows, as JSON."""
        return dict(json.loads(self.must(*words, "--json")))

    def said(self) -> str:
        units = ("corefab-proxy-pull", f"{self.app}-pull", "corefab-proxy-green")
        words = [word for unit in units for word in ("-u", unit)]
        return self.inside("journalctl", "--no-pager", "-n", "60", "-o", "cat", *words)


def _unpacked(blob: bytes) -> bytes:
    return gzip.decompress(blob) if blob.startswith(b"\x1f\x8b") else blob


@contextmanager
def closed(folder: Path, name: str, number: int, **settings: str) -> Iterator[Machine]:
    """Make the project of such a machine, and publish its proxy; remove all of it afterwards."""
    with outside.running(folder, number) as world:
        made = make_project(
            folder / "project",
            name,
            IMAGE=f"localhost/corefab-{name}:latest",
            ACME_DIRECTORY=world.pebble.server.directory,
            ACME_ROOT=str(world.pebble.server.trust),
            PULL=f"{world.registry.address}/shop/www:live",
            PULL_ROOT=str(world.registry.root),
            PROXY_IMAGE=f"{world.registry.address}/shop/caddy:live",
            **CLOSED | settings,
        )
        machine = Machine(made.folder, made.settings, world=world, kept=folder / "kept")
        file = machine.folder / ".env"
        # The image has it.
        file.write_text(file.read_text().replace("ENV_GREETING=", "# ENV_GREETING="))
        try:
            machine.must("publish-key")
            machine.must("sample-build", IMAGE=machine.base)
            machine.must("proxy-build")
            machine.publish_caddy("first")
            yield machine
        finally:
            machine.node_down()
            built = (machine.image, machine.base, machine.caddy, machine.proxy_image)
            remove_images(*built)
