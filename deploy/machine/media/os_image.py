"""Verb: download and verify a Fedora CoreOS image."""

import platform
import shutil
from pathlib import Path

from deploy.console import output
from deploy.errors import DeployError
from deploy.machine.media.plan.options import OsImage
from deploy.machine.media.plan.stream import StreamImage, find
from deploy.workstation.download import fetch, read
from deploy.workstation.files import write_atomically
from deploy.workstation.programs import ProgramError, Start, run

STREAMS = "https://builds.coreos.fedoraproject.org/streams"
_LONGEST_SECONDS = 300
_LAST_LINES = 8


def os_image(target: Path, wanted: OsImage) -> Path:
    """Download an image into a folder, resuming a partial download; verify it, return the file.

    Raises:
        DeployError: when the download fails, or hash or signature do not match.
    """
    where = wanted.metadata or f"{STREAMS}/{wanted.stream}.json"
    architecture = wanted.architecture or platform.machine()
    image = find(read(where), kind=wanted.kind, architecture=architecture, where=where)
    file = target / image.name
    if file.exists():
        output.say(f"{file} exists, verifying it again")
        fetch(str(file), file, sha256=image.sha256)
    else:
        fetch(wanted.source or image.location, file, sha256=image.sha256)
    output.good(f"{file} is Fedora CoreOS {image.release} ({wanted.kind}), SHA-256 verified")
    _verify(image, file, wanted)
    return file


def _verify(image: StreamImage, file: Path, wanted: OsImage) -> None:
    """Check the signature with the keys of the operator's --keyring."""
    if not wanted.keyring:
        output.warn(
            "the signature was not checked: give Fedora's keys (fedoraproject.org/fedora.gpg) with "
            "--keyring. The hash came from the stream's metadata"
        )
        return
    program = shutil.which("gpgv")
    if program is None:
        raise DeployError("gpgv is not installed", "install GnuPG (Debian: apt-get install gpgv)")
    signature = file.with_name(f"{file.name}.sig")
    write_atomically(signature, read(wanted.signature or image.signature), 0o644)
    keyring = str(Path(wanted.keyring).resolve())
    try:
        run(
            [program, "--keyring", keyring, str(signature), str(file)],
            seconds=_LONGEST_SECONDS,
            start=Start(lines=_LAST_LINES),
        )
    except ProgramError as error:
        if error.code is None:
            raise
        signature.unlink()
        file.rename(file.with_name(f"{file.name}.rejected"))
        raise DeployError(
            f"{file.name} is not signed by a key of {wanted.keyring}: {error.message}",
            f"do not use it; it was renamed to {file.name}.rejected",
        ) from error
    output.good(f"signature verified with {wanted.keyring}")
