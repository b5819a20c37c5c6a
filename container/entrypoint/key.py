"""The TLS key: encrypted at rest, plain only in a file system in memory."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass

from container.entrypoint.libcrypto import KeyDecryptor
from container.entrypoint.password import Password
from container.entrypoint.tmpfs import require_memory
from container.errors import ContainerError

_HEADER = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True)
class KeyFiles:
    """Where the certificate, the encrypted key, its password and the plain key's folder are."""

    certificate: str = "/etc/tls/server.crt"
    encrypted: str = "/etc/tls/server.key.enc"
    password: str = "/run/secrets/cert_pass"  # noqa: S105 - a path
    folder: str = "/run/tls"

    @property
    def plain(self) -> str:
        """Where the decrypted key is put."""
        return f"{self.folder}/server.key"


def install_key(files: KeyFiles) -> str:
    """Decrypt the key into memory, mode 0400, and give back its path.

    The file is complete and matches the certificate before it takes its name. Raises
    ContainerError with EX_NOINPUT (a file is missing), EX_NOPERM (wrong password), EX_DATAERR
    (unreadable, or key and certificate do not belong together) or EX_IOERR (not in memory).
    """
    require_memory(files.folder)
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


def _decrypt(files: KeyFiles, encrypted: bytes, draft: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(draft, flags, 0o400)
    try:
        with Password(files.password) as password:
            if not KeyDecryptor().decrypt(encrypted, password, target):
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
