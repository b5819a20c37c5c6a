"""Images are fetched from a server that may cut, lie or be away, and verified."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from deploy.errors import DeployError
from deploy.machine.media.os_image import os_image
from deploy.machine.media.plan.options import OsImage

Keyring = Callable[[str], Path]
CONTENT = bytes(range(256)) * 4096


@dataclass
class Mirror:
    """A web server with files in memory; `cut_at` ends an answer early, once."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: list[str] = field(default_factory=list)
    cut_at: int = 0
    ignores_ranges: bool = False


class _Server(ThreadingHTTPServer):
    mirror: Mirror


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        mirror = cast(_Server, self.server).mirror
        content = mirror.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted = "" if mirror.ignores_ranges else self.headers.get("Range", "")
        mirror.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = 0
        if self.path == "/live.iso":
            cut, mirror.cut_at = mirror.cut_at, 0
        self.wfile.write(content[start : cut or len(content)])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.mirror = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    publish(server.mirror, CONTENT)
    yield server.mirror
    server.shutdown()
    thread.join()
    server.server_close()


def publish(mirror: Mirror, stated: bytes) -> None:
    disk = {
        "location": f"{mirror.address}/live.iso",
        "signature": f"{mirror.address}/live.iso.sig",
        "sha256": hashlib.sha256(stated).hexdigest(),
    }
    made = {"release": "44.1", "formats": {"iso": {"disk": disk}}}
    whole = {"architectures": {"x86_64": {"artifacts": {"metal": made}}}}
    mirror.files = {"/live.iso": CONTENT, "/stable.json": json.dumps(whole).encode()}


def wanted(mirror: Mirror, **more: str) -> OsImage:
    return OsImage(architecture="x86_64", **{"metadata": f"{mirror.address}/stable.json"} | more)


@pytest.mark.loopback
def test_an_image_is_fetched_and_its_hash_compared(mirror: Mirror, tmp_path: Path) -> None:
    file = os_image(tmp_path, wanted(mirror))

    assert file.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["live.iso"]


@pytest.mark.loopback
@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_an_interrupted_download_is_resumed_or_restarted_when_the_server_cannot_resume(
    mirror: Mirror, tmp_path: Path, *, ignores_ranges: bool
) -> None:
    mirror.cut_at = 300_000
    mirror.ignores_ranges = ignores_ranges
    with pytest.raises(DeployError, match="cannot be downloaded"):
        os_image(tmp_path, wanted(mirror))
    assert not (tmp_path / "live.iso").exists()

    file = os_image(tmp_path, wanted(mirror))

    assert file.read_bytes() == CONTENT
    last = mirror.ranges[-1]
    assert (last == "") == ignores_ranges
    if last:
        assert 0 < int(last.removeprefix("bytes=").rstrip("-")) <= 300_000


@pytest.mark.loopback
def test_a_file_with_another_hash_is_refused_and_removed(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror, b"something else")

    with pytest.raises(DeployError, match="expected"):
        os_image(tmp_path, wanted(mirror))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.loopback
def test_a_server_without_the_file_is_named(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["/live.iso"]

    with pytest.raises(DeployError, match=r"live\.iso cannot be downloaded: 404"):
        os_image(tmp_path, wanted(mirror))


@pytest.mark.loopback
def test_copies_on_this_machine_need_no_network(mirror: Mirror, tmp_path: Path) -> None:
    metadata, source = tmp_path / "stable.json", tmp_path / "copy.iso"
    metadata.write_bytes(mirror.files["/stable.json"])
    source.write_bytes(CONTENT)
    mirror.files = {}

    made = wanted(mirror, metadata=str(metadata), source=str(source))

    assert os_image(tmp_path / "out", made).read_bytes() == CONTENT


@pytest.mark.program
def test_a_signature_by_a_key_of_the_keyring_is_accepted_and_any_other_not(
    mirror: Mirror, tmp_path: Path, keyring: Keyring, program: Callable[[str], str]
) -> None:
    program("gpgv")
    ours, other = keyring("ours"), keyring("other")
    mirror.files["/live.iso.sig"] = signature(ours.parent, program("gpg"))

    os_image(tmp_path / "out", wanted(mirror, keyring=str(ours)))
    with pytest.raises(DeployError, match="not signed by a key"):
        os_image(tmp_path / "out", wanted(mirror, keyring=str(other)))

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["live.iso.rejected"]


@pytest.fixture
def keyring(tmp_path: Path, program: Callable[[str], str]) -> Iterator[Keyring]:
    """Make keyrings, each in a home of its own; end the agent that GnuPG starts for each."""
    homes: list[Path] = []

    def make(name: str) -> Path:
        homes.append(tmp_path / name)
        return new_keyring(homes[-1], program("gpg"))

    yield make
    for home in homes:
        kill = [program("gpgconf"), "--homedir", str(home), "--kill", "all"]
        subprocess.run(kill, check=True, capture_output=True)


def new_keyring(home: Path, gpg: str) -> Path:
    home.mkdir(mode=0o700)
    options = ["--homedir", str(home), "--batch", "--quiet"]
    make = ["--passphrase", "", "--quick-generate-key", "tester", "ed25519", "sign", "never"]
    subprocess.run([gpg, *options, *make], check=True, capture_output=True)
    ring = home / "ring.gpg"
    subprocess.run([gpg, *options, "--output", ring, "--export"], check=True, capture_output=True)
    return ring


def signature(home: Path, gpg: str) -> bytes:
    content = home / "content"
    content.write_bytes(CONTENT)
    words = [gpg, "--homedir", str(home), "--batch", "--quiet", "--output", "-", "--detach-sign"]
    return subprocess.run([*words, content], check=True, capture_output=True).stdout
