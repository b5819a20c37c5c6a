"""Read and write certificates and keys on this machine's disk."""

import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from certs.errors import CertError

_MOST_BYTES = 1 << 20  # the largest chains and bundles are a few kilobytes
# Without waiting: a named pipe where a file should be has no writer.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_APP = re.compile(r"(?!(authority|acme)\Z)[a-z0-9][a-z0-9.-]*\Z")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Material:
    """The paths of an app's certificate files and of the project's authority."""

    def __init__(self, app: str, root: Path) -> None:
        if not _APP.match(app):
            raise CertError(
                f"{app!r} cannot be an app's folder", "use lower case letters, digits and dashes"
            )
        self.root = root
        # The app's chain, as the server sends it, and its encrypted key.
        self.certificate = root / app / "server.crt"
        self.key = root / app / "server.key.enc"
        # The next pair while it replaces the present one, and the archived pairs.
        self.next = root / app / "next"
        self.previous = root / app / "previous"
        # The signing request that waits for an outside authority's answer, and its encrypted key.
        self.request = root / app / "request.pem"
        self.request_key = root / app / "request.key.enc"
        # What visitors of the project's own authority trust, and its encrypted key.
        self.authority_certificate = root / "authority" / "ca.crt"
        self.authority_key = root / "authority" / "ca.key.enc"
        # The encrypted key that signs SSH certificates of people.
        self.ssh_authority_key = root / "authority" / "ssh.key.enc"
        # The encrypted key that signs images, and the one that will replace it.
        self.publish_key = root / "authority" / "publish.key.enc"
        self.next_publish_key = root / "authority" / "publish-next.key.enc"
        # The encrypted key that opens what nodes tell their operators.
        self.operator_key = root / "authority" / "operator.key.enc"

    def account_key(self, directory: str) -> Path:
        """Return the file of the account with the ACME authority of a directory's URL."""
        host = re.sub(r"[^a-z0-9.-]", "", (urlsplit(directory).hostname or "").lower())
        mark = hashlib.sha256(directory.encode()).hexdigest()[:8]
        return self.root / "acme" / f"{host}-{mark}.key.enc"


def read(path: Path) -> bytes:
    """Read a public file; raise CertError that says why it cannot be read."""
    return _read(path, private=False)


def read_secret(path: Path) -> bytes:
    """Read a secret file; refuse one that other users can read or change."""
    return _read(path, private=True)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file atomically; only its owner can read it at any moment."""
    _replace(path, data, 0o600)


def write_public(path: Path, data: bytes) -> None:
    """Write a file atomically that every user may read."""
    _replace(path, data, 0o644)


def _read(path: Path, *, private: bool) -> bytes:
    try:
        descriptor = os.open(path, _READ)
        try:
            _check(path, os.fstat(descriptor), private=private)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(_MOST_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise CertError(
            f"{path}: no such file", "check the path; `fab cert-issue` makes a certificate"
        ) from error
    except OSError as error:
        raise CertError(
            f"{path}: {error.strerror}", "check the path and who may read it"
        ) from error


def _check(path: Path, found: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise CertError(f"{path}: not a file", "give the path of a file")
    if found.st_size > _MOST_BYTES:
        raise CertError(
            f"{path}: {found.st_size} bytes, which is no certificate or key",
            f"give a file of at most {_MOST_BYTES} bytes",
        )
    if private and found.st_mode & _OTHERS:
        raise CertError(
            f"{path}: others on this machine can use it (mode {stat.S_IMODE(found.st_mode):04o})",
            f"chmod 600 {path}, and consider it seen",
        )


def _replace(path: Path, data: bytes, mode: int) -> None:
    try:
        replace_file(path, data, mode, folder_mode=0o700)
        settle(path.parent)
    except OSError as error:
        raise CertError(
            f"{path}: cannot be written: {error.strerror}",
            "check the folder, who may write there, and the space left on its disk",
        ) from error


def replace_file(path: Path, data: bytes, mode: int, *, folder_mode: int) -> None:
    """Write a temporary file beside `path` and rename it; make the folder. Raises OSError.

    The file has its mode before it has content, whatever the umask; the folder obeys the umask.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    path.parent.mkdir(folder_mode, parents=True, exist_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Sync a folder, so that its renames survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file until the block ends."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
