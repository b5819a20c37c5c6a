"""Private keys to log in with, some of them behind a passphrase."""

from collections.abc import Iterable
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType


def first_locked(named: Iterable[Path]) -> Path | None:
    """Find the first key that wants a passphrase; without `named` ones, among ~/.ssh's usual."""
    return next(filter(_is_locked, tuple(named) or usual_keys()), None)


def load_key(path: Path, passphrase: str | None) -> paramiko.PKey | None:
    """Load a private key; None when it is unreadable or the passphrase is wrong.

    Raises:
        TypeError: when it wants a passphrase and none is given.
    """
    try:
        # Bytes, whatever the annotation says: cryptography takes no text.
        secret = passphrase.encode() if passphrase else None
        return paramiko.PKey.from_path(path, secret)  # type: ignore[arg-type]
    except (ValueError, OSError, paramiko.SSHException, UnknownKeyType):
        return None


def usual_keys() -> tuple[Path, ...]:
    """List the key files of ~/.ssh that ssh tries without being asked to."""
    usual = (Path(f"~/.ssh/id_{kind}").expanduser() for kind in ("ed25519", "ecdsa", "rsa"))
    return tuple(path for path in usual if path.is_file())


def _is_locked(path: Path) -> bool:
    try:
        load_key(path, None)
    except TypeError:
        return True
    return False
