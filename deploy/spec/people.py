"""The people who may log in to the nodes: one file of public keys each, `certs/access/NAME.pub`.

The folder belongs under version control, so that every colleague's machine spec has the same keys.
The file `retired` lists keys that may no longer log in, whatever other file has them.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.errors import DeployError
from deploy.workstation.files import write_atomically

# The option of a key whose certificates are accepted, for the user that each names.
AUTHORITY = "cert-authority"
ACCESS = Path("certs/access")
_RETIRED = "retired"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,30}")
_LINE = re.compile(
    r"(?:(?P<options>[a-z].*?) +)?(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) +"
    r"(?P<key>AAAA[A-Za-z0-9+/]+=*)(?: +(?P<comment>.*))?"
)
_EXPIRY = re.compile(r'expiry-time="(\d{8}(?:\d{4})?)Z"')
_DAY_DIGITS = 8
_FORMAT = "%Y%m%d%H%M"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A line of an authorized_keys file; `options` is the text before the key type."""

    kind: str
    key: str
    comment: str = ""
    options: str = ""

    @property
    def blob(self) -> str:
        """Type and key, which identify it."""
        return f"{self.kind} {self.key}"

    @property
    def line(self) -> str:
        """The line as sshd reads it."""
        return " ".join(part for part in (self.options, self.blob, self.comment) if part)

    @property
    def fingerprint(self) -> str:
        """The fingerprint as OpenSSH writes it."""
        try:
            digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        except binascii.Error:
            return "unreadable"
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    @property
    def expires(self) -> datetime | None:
        """When sshd stops accepting it; None for never."""
        match = _EXPIRY.search(self.options)
        if not match:
            return None
        text = match[1] if len(match[1]) > _DAY_DIGITS else f"{match[1]}0000"
        try:
            return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
        except ValueError:  # no such day
            return None

    def until(self, expires: datetime | None) -> "AccessKey":
        """The same key with an expiry time, or none, as its only option."""
        options = f'expiry-time="{expires.astimezone(UTC):{_FORMAT}}Z"' if expires else ""
        return AccessKey(self.kind, self.key, self.comment, options)


def read_key(line: str) -> AccessKey | None:
    """Read a line; None for an empty one, a comment, or anything else that is not a key.

    Characters of the key's comment that YAML or a shell could interpret become `_`.
    """
    match = _LINE.fullmatch(line.strip())
    if not match:
        return None
    comment = re.sub(r"[^A-Za-z0-9@._+ -]", "_", match["comment"] or "").strip()
    return AccessKey(match["kind"], match["key"], comment, match["options"] or "")


def read_key_file(path: Path) -> tuple[AccessKey, ...]:
    """Read every key of a public key file.

    Raises:
        DeployError: for a file that cannot be read, or a line that is not a key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(
            f"{path} cannot be read: {error}", "check the path and its permissions"
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = read_key(line)
        if key is None or not _has_known_options(key):
            raise DeployError(
                f"{path}:{number}: not an SSH public key, with or without an expiry-time",
                "use .pub files, never private keys",
            )
        found.append(key)
    return tuple(found)


def _has_known_options(key: AccessKey) -> bool:
    """Check that a key has no option but an expiry time or `cert-authority`."""
    return key.options in {"", AUTHORITY, key.until(key.expires).options}


def people(folder: Path) -> dict[str, tuple[AccessKey, ...]]:
    """Read the keys of all people, by name.

    Raises:
        DeployError: for a file with a line that is not a key.
    """
    files = sorted((folder / ACCESS).glob("*.pub"))
    return {file.stem: read_key_file(file) for file in files}


def retired(folder: Path) -> frozenset[str]:
    """Read the blobs of the retired keys."""
    file = folder / ACCESS / _RETIRED
    return frozenset(key.blob for key in read_key_file(file)) if file.exists() else frozenset()


def check_name(name: str) -> str:
    """Check that a person's name can be a file name; return it.

    Raises:
        DeployError: when it cannot.
    """
    if not _NAME.fullmatch(name):
        raise DeployError(
            f"{name!r} is not a valid name for a person",
            "use lower case letters, digits, '.', '_' and '-', 31 at most",
        )
    return name


def keep_keys(folder: Path, name: str, keys: Iterable[AccessKey]) -> None:
    """Write a person's keys; without keys, remove the file."""
    file = folder / ACCESS / f"{check_name(name)}.pub"
    if keys := tuple(keys):
        _write(file, keys)
    else:
        file.unlink(missing_ok=True)


def retire(folder: Path, keys: Iterable[AccessKey]) -> None:
    """Add keys to the retired ones."""
    file = folder / ACCESS / _RETIRED
    old = read_key_file(file) if file.exists() else ()
    known = {key.blob: key for key in (*old, *(key.until(None) for key in keys))}
    _write(file, known.values())


def welcome(folder: Path, keys: Iterable[AccessKey]) -> None:
    """Remove keys from the retired ones."""
    file = folder / ACCESS / _RETIRED
    if file.exists():
        blobs = {key.blob for key in keys}
        left = [key for key in read_key_file(file) if key.blob not in blobs]
        _write(file, left)


def _write(file: Path, keys: Iterable[AccessKey]) -> None:
    write_atomically(file, "".join(f"{key.line}\n" for key in keys).encode(), 0o644)
