"""Write local files atomically."""

import os
import secrets
from pathlib import Path

from deploy.errors import DeployError


def write_atomically(path: Path, content: bytes, mode: int, *, folder_mode: int = 0o777) -> None:
    """Write a temporary file beside `path` and rename it; create the folder where missing.

    The file has its mode from the first byte on, whatever the umask; the folder obeys the umask.

    Raises:
        DeployError: when it cannot be written; `path` is unchanged then.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(folder_mode, parents=True, exist_ok=True)
        try:
            _write_new(beside, content, mode)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise DeployError(
            f"{path} cannot be written: {error.strerror}",
            "is the disk full or read-only, or the folder another user's?",
        ) from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
