"""People's SSH keys: `certs/access/NAME.pub` holds the public keys of one person.

Commit the folder: every colleague's machine spec then authorizes the same people. Its file
`retired` lists keys that no machine spec authorizes, whichever file they are found in, and that
nodes refuse (RevokedKeys). Its file `signed` lists the keys with a certificate that is still valid.
"""

import re
import struct
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.access_key import AccessKey
from deploy.spec.key_file import read_key_file
from deploy.workstation.files import write_atomically

_SHA256_SECTION = 5
_CERTIFICATE = "-cert"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")


def keys_by_person(project: Project) -> dict[str, tuple[AccessKey, ...]]:
    """Read everyone's keys, by the person's name.

    Raises:
        DeployError: when a file holds anything but public keys.
    """
    files = sorted(project.access.glob("*.pub"))
    # ssh keeps the certificate of a key beside it.
    people = (file for file in files if not file.stem.endswith(_CERTIFICATE))
    return {file.stem: read_key_file(file) for file in people}


def write_keys(project: Project, person: str, keys: Iterable[AccessKey]) -> None:
    """Replace a person's keys; without any key their file is removed.

    Raises:
        DeployError: when the name cannot be used.
    """
    file = project.access / f"{check_name(person)}.pub"
    if keys := tuple(keys):
        _write(file, keys)
    else:
        file.unlink(missing_ok=True)


def retired_keys(project: Project) -> frozenset[str]:
    """Read the blobs of the retired keys."""
    return frozenset(key.blob for key in _read_retired(project))


def revoked_keys(project: Project, *, but: Collection[AccessKey] = ()) -> bytes:
    """Write the retired keys, but not some of them, as a revocation list (KRL) for sshd.

    It lists SHA-256 hashes, so that sshd can read it whatever the type of a key is: it lets no one
    in when it cannot read its RevokedKeys. A certificate for a listed key, or signed by one, is
    refused too.
    """
    digests = {key.digest for key in _read_retired(project)} - {key.digest for key in but}
    hashes = b"".join(_string(digest) for digest in sorted(digests))
    head = b"SSHKRL\n\0" + struct.pack(">IQQQ", 1, 0, 0, 0) + _string(b"") * 2
    return head + (bytes([_SHA256_SECTION]) + _string(hashes) if hashes else b"")


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def retire(project: Project, keys: Iterable[AccessKey]) -> None:
    """Add keys to the list of retired ones."""
    known = (*_read_retired(project), *(key.until(None) for key in keys))
    _write(_retired_file(project), {key.blob: key for key in known}.values())


def reinstate(project: Project, keys: Iterable[AccessKey]) -> None:
    """Remove keys from the list of retired ones."""
    if _retired_file(project).exists():
        blobs = {key.blob for key in keys}
        left = [key for key in _read_retired(project) if key.blob not in blobs]
        _write(_retired_file(project), left)


def running_certificates(project: Project, now: datetime) -> tuple[AccessKey, ...]:
    """Read the keys with a valid certificate: the comment is the person, the expiry its end."""
    return tuple(key for key in _read(project.access / "signed") if not key.has_expired(now))


def write_signed(project: Project, keys: Iterable[AccessKey]) -> None:
    """Replace the list of keys with a valid certificate."""
    _write(project.access / "signed", keys)


def check_name(person: str) -> str:
    """Return a person's name that is also a safe file name.

    Raises:
        DeployError: when it is not.
    """
    if not _NAME.fullmatch(person) or person.endswith(_CERTIFICATE):
        raise DeployError(
            f"{person!r} is not a valid name for a person",
            "use lower case letters, digits, '.', '_' and '-', 31 at most; not -cert at the end",
        )
    return person


def _retired_file(project: Project) -> Path:
    return project.access / "retired"


def _read_retired(project: Project) -> tuple[AccessKey, ...]:
    return _read(_retired_file(project))


def _read(file: Path) -> tuple[AccessKey, ...]:
    return read_key_file(file, any_kind=True) if file.exists() else ()


def _write(file: Path, keys: Iterable[AccessKey]) -> None:
    write_atomically(file, "".join(f"{key.line}\n" for key in keys).encode(), 0o644)
