"""Write local files atomically."""

from pathlib import Path

from certs.store import replace_file
from deploy.errors import DeployError


def write_atomically(path: Path, content: bytes, mode: int, *, folder_mode: int = 0o777) -> None:
    """Write a temporary file beside `path` and rename it; create the folder where missing.

    The file has its mode from the first byte on, whatever the umask; the folder obeys the umask.

    Raises:
        DeployError: when it cannot be written; `path` is unchanged then.
    """
    try:
        replace_file(path, content, mode, folder_mode=folder_mode)
    except OSError as error:
        raise DeployError(
            f"{path} cannot be written: {error.strerror}",
            "is the disk full or read-only, or the folder another user's?",
        ) from error
