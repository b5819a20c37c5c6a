"""Images are fetched from a server that may cut, lie or be away, and verified."""

import base64
import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from deploy.errors import DeployError
from deploy.machine.media import os_image as module
from deploy.machine.media.os_image import os_image as fetch_image
from deploy.machine.media.plan.options import OsImage
from deploy.workstation import download

Keyring = Callable[[str], Path]
RELEASE = "44.20200101.3.0"
KEY = "A" * 40
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
    made = {"release": RELEASE, "formats": {"iso": {"disk": disk}}}
    whole = {"stream": "stable", "architectures": {"x86_64": {"artifacts": {"metal": made}}}}
    mirror.files = {
        "/live.iso": CONTENT,
        "/live.iso.sig": b"",
        "/stable.json": json.dumps(whole).encode(),
    }


def wanted(mirror: Mirror, **more: str) -> OsImage:
    return OsImage(architecture="x86_64", **{"metadata": f"{mirror.address}/stable.json"} | more)


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_an_image_is_fetched_and_its_hash_compared(mirror: Mirror, tmp_path: Path) -> None:
    file = os_image(tmp_path, wanted(mirror))

    assert file.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.glob("live*")] == ["live.iso"]


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
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
@pytest.mark.usefixtures("signed")
def test_a_file_with_another_hash_is_refused_and_removed(mirror: Mirror, tmp_path: Path) -> None:
    publish(mirror, b"something else")

    with pytest.raises(DeployError, match="expected"):
        os_image(tmp_path, wanted(mirror))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_a_server_without_the_file_is_named(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["/live.iso"]

    with pytest.raises(DeployError, match=r"live\.iso cannot be downloaded: 404"):
        os_image(tmp_path, wanted(mirror))


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_copies_on_this_machine_need_no_network(mirror: Mirror, tmp_path: Path) -> None:
    metadata, source = tmp_path / "stable.json", tmp_path / "copy.iso"
    metadata.write_bytes(mirror.files["/stable.json"])
    source.write_bytes(CONTENT)
    mirror.files = {}

    made = wanted(mirror, metadata=str(metadata), source=str(source), signature=str(source))

    assert os_image(tmp_path / "out", made).read_bytes() == CONTENT


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_metadata_of_another_stream_or_with_a_damaged_name_is_refused(
    mirror: Mirror, tmp_path: Path
) -> None:
    metadata = tmp_path / "other.json"
    for old, new, said in (
        (b'"stable"', b'"next"', "is of the stream next, not stable"),
        (b"/live.iso", b"/..", "has no iso"),
        (b"44.2020", b"44.x", "has no iso"),
        (b'"signature"', b'"other"', "has no iso"),
    ):
        metadata.write_bytes(mirror.files["/stable.json"].replace(old, new))
        with pytest.raises(DeployError, match=said):
            os_image(tmp_path, wanted(mirror, metadata=str(metadata)))


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(("most", "where"), [("_MOST_READ", "json"), ("_MOST_FETCHED", "iso")])
def test_an_endless_answer_is_refused(
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: str,
    where: str,
) -> None:
    monkeypatch.setattr(download, most, 300)

    with pytest.raises(DeployError, match=f"{where} is larger than 300 bytes"):
        os_image(tmp_path, wanted(mirror))
    assert not (tmp_path / "live.iso").exists()


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_a_release_older_than_one_that_was_seen_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    newer = mirror.files["/stable.json"].replace(b"44.20200101", b"44.20200102")
    older, mirror.files["/stable.json"] = mirror.files["/stable.json"], newer
    os_image(tmp_path, wanted(mirror))
    mirror.files["/stable.json"] = older

    with pytest.raises(DeployError, match=r"is older than 44\.20200102\.3\.0") as caught:
        os_image(tmp_path, wanted(mirror))
    assert caught.value.hint.endswith(f"rm {tmp_path}/state/os-image/stable")


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("", "no single good signature"),
        ("REVKEYSIG A x\nVALIDSIG {0} 2020-01-02 1 0 4 0 22 8 00 {0}", "REVKEYSIG"),
        ("EXPKEYSIG A x\nVALIDSIG {0} 2020-01-02 1 0 4 0 22 8 00 {0}", "EXPKEYSIG"),
        ("GOODSIG A x\nVALIDSIG {0} 2020-01-02 1 0 4 0 22 8 00 B", "signed by the key B"),
        ("GOODSIG A x\nVALIDSIG {0} 2019-12-31 1 0 4 0 22 8 00 {0}", "before the release"),
    ],
)
def test_an_image_with_another_signature_never_gets_its_name(
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    said: str,
) -> None:
    lines = "".join(f"[GNUPG:] {line}\n" for line in status.format(KEY).splitlines())
    monkeypatch.setattr(module, "_status", lambda *_: lines)

    with pytest.raises(DeployError, match=said):
        os_image(tmp_path, wanted(mirror))
    assert not list(tmp_path.glob("live.iso*"))


@pytest.mark.loopback
@pytest.mark.usefixtures("signed")
def test_a_release_whose_key_is_not_known_needs_its_fingerprint(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.files["/stable.json"] = mirror.files["/stable.json"].replace(b"44.2020", b"99.2020")

    with pytest.raises(DeployError, match="signing key of Fedora 99 is not known") as caught:
        fetch_image(tmp_path, wanted(mirror), state=tmp_path / "state")
    assert "--fingerprint" in caught.value.hint


@pytest.mark.program
def test_a_signature_by_the_pinned_key_is_accepted_and_any_other_not(
    mirror: Mirror, tmp_path: Path, keyring: Keyring, program: Callable[[str], str]
) -> None:
    program("gpgv")
    ours, other = keyring("ours"), keyring("other")
    mirror.files["/live.iso.sig"] = signature(ours.parent, program("gpg"))
    pinned = {"fingerprint": fingerprint_in(ours.parent, program("gpg"))}

    for ring in (ours, armored(ours)):
        made = os_image(tmp_path / "out", wanted(mirror, keyring=str(ring), **pinned))
        assert made.read_bytes() == CONTENT
    for wrong in ({"keyring": str(other)} | pinned, {"keyring": str(ours)}):
        with pytest.raises(DeployError, match=r"live\.iso is not Fedora's"):
            os_image(tmp_path / "out", wanted(mirror, **wrong))

    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.program
def test_a_signature_by_a_revoked_key_is_refused(
    mirror: Mirror, tmp_path: Path, keyring: Keyring, program: Callable[[str], str]
) -> None:
    program("gpgv")
    ours, gpg = keyring("ours"), program("gpg")
    mirror.files["/live.iso.sig"] = signature(ours.parent, gpg)
    key = fingerprint_in(ours.parent, gpg)
    revocation = (ours.parent / f"openpgp-revocs.d/{key}.rev").read_text().replace(":---", "---")
    options = [gpg, "--homedir", str(ours.parent), "--batch", "--quiet"]
    subprocess.run(
        [*options, "--import"], input=revocation.encode(), check=True, capture_output=True
    )
    subprocess.run(
        [*options, "--yes", "--output", str(ours), "--export"], check=True, capture_output=True
    )

    with pytest.raises(DeployError, match="REVKEYSIG"):
        os_image(tmp_path / "out", wanted(mirror, keyring=str(ours), fingerprint=key))


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have gpgv find a good signature by Fedora's key."""
    status = (
        f"[GNUPG:] GOODSIG A Fedora\n[GNUPG:] VALIDSIG {KEY} 2020-01-02 1 0 4 0 22 8 00 {KEY}\n"
    )
    monkeypatch.setattr(module, "_status", lambda *_: status)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def os_image(target: Path, image: OsImage) -> Path:
    """Fetch an image signed by the tests' key, unless the options name another."""
    if not image.keyring:
        image = replace(image, fingerprint=KEY, keyring=__file__)
    return fetch_image(
        target, image, state=target.parent / "state" if target.name == "out" else target / "state"
    )


def fingerprint_in(home: Path, gpg: str) -> str:
    words = [gpg, "--homedir", str(home), "--batch", "--with-colons", "--list-keys"]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return next(line.split(":")[9] for line in text.splitlines() if line.startswith("fpr:"))


def armored(ring: Path) -> Path:
    """Write a keyring as text."""
    body = base64.encodebytes(ring.read_bytes()).decode()
    file = ring.with_suffix(".asc")
    begin, end = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
    file.write_text(f"{begin}\nComment: ours\n\n{body}=abcd\n{end}\n")
    return file


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
