"""The TLS key: encrypted at rest, plain only in a file system in memory."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from container.entrypoint.libcrypto import decrypt
from container.entrypoint.password import read_password
from container.errors import ContainerError

_IN_MEMORY = ("tmpfs", "ramfs")
_HEADER = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


class KeyFiles:
    """Where the certificate, the encrypted key, its password and the plain key's folder are.

    The environment may name other paths than the unit's in TLS_CERT, TLS_KEY_ENC, CERT_PASS_FILE
    and TLS_RUN_DIR.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.certificate = environment.get("TLS_CERT", "/etc/tls/server.crt")
        self.encrypted = environment.get("TLS_KEY_ENC", "/etc/tls/server.key.enc")
        self.password = environment.get("CERT_PASS_FILE", "/run/secrets/cert_pass")
        self.folder = environment.get("TLS_RUN_DIR", "/run/tls")
        self.plain = f"{self.folder}/server.key"


def install_key(files: KeyFiles) -> str:
    """Decrypt the key into memory, mode 0400, and give back its path.

    The file is complete and matches the certificate before it takes its name. Raises
    ContainerError with EX_NOINPUT (a file is missing), EX_NOPERM (wrong password), EX_DATAERR
    (unreadable, or key and certificate do not belong together) or EX_IOERR (not in memory).
    """
    _require_memory(files.folder)
    encrypted = _read(files.encrypted)
    if _HEADER not in encrypted:
        raise ContainerError(
            f"{files.encrypted} is not an encrypted PKCS#8 key",
            "it starts with BEGIN ENCRYPTED PRIVATE KEY",
            code=os.EX_DATAERR,
        )
    draft = f"{files.plain}.new"
    try:
        _remove(draft)  # of a process that was killed while writing
        _decrypt(files, encrypted, draft)
        server_context(files.certificate, draft)
        os.replace(draft, files.plain)  # noqa: PTH105 - text paths all through
    finally:
        _remove(draft)
    return files.plain


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Make a TLS context of a certificate chain and its plain key: TLS 1.2 or newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _read(certificate)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        found = "does not belong to its key" if mismatch else f"is not usable ({error.reason})"
        raise ContainerError(
            f"the certificate {certificate} {found}",
            "deploy the certificate and key that were issued together",
            code=os.EX_DATAERR,
        ) from error
    return context


def _require_memory(folder: str) -> None:
    """Refuse a folder that is missing, not writable, or not on a file system in memory."""
    try:
        device = Path(folder).stat().st_dev
    except OSError as error:
        raise ContainerError(
            f"{folder}: {error.strerror}", "mount a tmpfs there", code=os.EX_IOERR
        ) from error
    kind = filesystem(
        device, Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    )
    if kind not in _IN_MEMORY:
        raise ContainerError(
            f"{folder} is on {kind or 'an unknown file system'}, and a plain key must not reach"
            " a disk",
            "mount a tmpfs there",
            code=os.EX_IOERR,
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ContainerError(
            f"{folder} is not writable for uid {os.getuid()}",
            "give the tmpfs that owner, or mode=1777",
            code=os.EX_IOERR,
        )


def filesystem(device: int, mountinfo: str) -> str:
    """Name the type of the file system with this device number; empty when it is not mounted.

    A tmpfs has a device number of its own, so no comparison of paths is needed (proc(5)).
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [wanted] and after:
            return after.split()[0]
    return ""


def _decrypt(files: KeyFiles, encrypted: bytes, draft: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(draft, flags, 0o400)
    try:
        with read_password(files.password) as password:
            if not decrypt(encrypted, password, target):
                raise ContainerError(
                    f"{files.encrypted} cannot be decrypted: the password in {files.password} is"
                    " wrong, or the file is damaged",
                    code=os.EX_NOPERM,
                )
    finally:
        os.close(target)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise ContainerError(
            f"{path}: {error.strerror}", "is it mounted and readable?", code=os.EX_NOINPUT
        ) from error
