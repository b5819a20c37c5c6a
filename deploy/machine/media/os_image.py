"""Verb: download and verify a Fedora CoreOS image."""

import platform
import shutil
import tempfile
from pathlib import Path

from deploy.console import output
from deploy.errors import DeployError
from deploy.machine.media.plan.options import OsImage
from deploy.machine.media.plan.signature import FEDORA_KEYS, binary_keyring, refusal
from deploy.machine.media.plan.stream import StreamImage, find
from deploy.workstation.download import fetch, partial_of, read
from deploy.workstation.files import write_atomically
from deploy.workstation.programs import ProgramError, Start, run

STREAMS = "https://builds.coreos.fedoraproject.org/streams"
_KEYS = "https://fedoraproject.org/fedora.gpg"
_LONGEST_SECONDS = 300
_LAST_LINES = 8


def os_image(target: Path, wanted: OsImage, *, state: Path) -> Path:
    """Download an image into a folder, resuming a partial download; verify it, return the file.

    `state` keeps the newest release of each stream that was seen.

    Raises:
        DeployError: when the download fails, hash or signature do not match, or it is older.
    """
    where = wanted.metadata or f"{STREAMS}/{wanted.stream}.json"
    architecture = wanted.architecture or platform.machine()
    image = find(read(where), kind=wanted.kind, architecture=architecture, where=where)
    if image.stream != wanted.stream:
        raise DeployError(
            f"{where} is of the stream {image.stream}, not {wanted.stream}",
            f"if you mean that stream: --stream {image.stream}",
        )
    newest = state / "os-image" / image.stream
    _refuse_older(image, newest)
    fingerprint = _fingerprint(image, wanted)
    program = shutil.which("gpgv")
    if program is None:
        raise DeployError("gpgv is not installed", "install GnuPG (Debian: apt-get install gpgv)")
    signature = read(wanted.signature or image.signature)
    keys = binary_keyring(read(wanted.keyring or _KEYS))
    file = target / image.name
    if file.exists():
        output.say(f"{file} exists, verifying it again")
        file.replace(partial_of(file))

    def check(partial: Path) -> None:
        status = _status(program, partial, signature, keys)
        if why := refusal(status, fingerprint=fingerprint, release=image.release):
            partial.unlink()
            raise DeployError(
                f"{image.name} is not Fedora's: {why}",
                "it was removed; the mirror, a proxy or the keyring is not the right one",
            )

    fetch(wanted.source or image.location, file, sha256=image.sha256, check=check)
    write_atomically(newest, f"{image.release}\n".encode(), 0o600, folder_mode=0o700)
    output.good(f"{file} is Fedora CoreOS {image.release} ({wanted.kind})")
    output.good(f"SHA-256 verified, signature verified: {fingerprint}")
    return file


def _refuse_older(image: StreamImage, newest: Path) -> None:
    seen = newest.read_text(encoding="utf-8").strip() if newest.exists() else ""
    if seen and image.number < StreamImage.number_of(seen):
        raise DeployError(
            f"{image.release} is older than {seen}, which the stream {image.stream} had before",
            "the mirror or a proxy may hide updates. If you want the older release all the same: "
            f"rm {newest}",
        )


def _fingerprint(image: StreamImage, wanted: OsImage) -> str:
    major = image.release.split(".")[0]
    found = wanted.fingerprint.replace(" ", "").upper() or FEDORA_KEYS.get(major)
    if not found:
        raise DeployError(
            f"the signing key of Fedora {major} is not known here",
            "take its fingerprint from https://fedoraproject.org/security, and give it with "
            "--fingerprint",
        )
    return found


def _status(program: str, file: Path, signature: bytes, keys: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="corefab-") as folder:
        ring, detached = Path(folder) / "ring.gpg", Path(folder) / "signature"
        ring.write_bytes(keys)
        detached.write_bytes(signature)
        words = [program, "--status-fd", "1", "--keyring", str(ring), str(detached), str(file)]
        try:
            return run(words, seconds=_LONGEST_SECONDS, start=Start(lines=_LAST_LINES)).decode(
                errors="replace"
            )
        except ProgramError as error:
            if error.code is None:
                raise
            return ""
