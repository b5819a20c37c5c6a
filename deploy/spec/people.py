"""Who may log in to the nodes: `certs/access/NAME.pub`, a file of public keys a person.

Public keys are no secret: the folder belongs under version control, so that every colleague's
machine spec lets in the same people. `retired` lists keys that nobody lets in any more, wherever
else they are found.
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

# Lets in whoever has a certificate that this key signed, for the user named in it.
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
    """A line of an authorized_keys file; `options` are the text before the kind of key."""

    kind: str
    key: str
    comment: str = ""
    options: str = ""

    @property
    def blob(self) -> str:
        """What makes it this key and no other."""
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
        """When sshd stops taking it; None for never."""
        match = _EXPIRY.search(self.options)
        if not match:
            return None
        text = match[1] if len(match[1]) > _DAY_DIGITS else f"{match[1]}0000"
        try:
            return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
        except ValueError:  # no such day
            return None

    def until(self, expires: datetime | None) -> "AccessKey":
        """The same key, taken until then and without any other option."""
        options = f'expiry-time="{expires.astimezone(UTC):{_FORMAT}}Z"' if expires else ""
        return AccessKey(self.kind, self.key, self.comment, options)


def read_key(line: str) -> AccessKey | None:
    """Read a line; None for an empty one, a comment, or what is no key.

    The comment keeps only letters that mean nothing to YAML or a shell.
    """
    match = _LINE.fullmatch(line.strip())
    if not match:
        return None
    comment = re.sub(r"[^A-Za-z0-9@._+ -]", "_", match["comment"] or "").strip()
    return AccessKey(match["kind"], match["key"], comment, match["options"] or "")


def read_key_file(path: Path) -> tuple[AccessKey, ...]:
    """Read every key of a public key file.

    Raises:
        DeployError: for a file that cannot be read, naming the line that is no key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{path} cannot be read: {error}", "name public key files") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = read_key(line)
        if key is None or not _plain(key):
            raise DeployError(
                f"{path}:{number}: not an SSH public key, with or without an expiry-time",
                "name .pub files, never private keys",
            )
        found.append(key)
    return tuple(found)


def _plain(key: AccessKey) -> bool:
    """Tell whether its options are ones that are written here."""
    return key.options in {"", AUTHORITY, key.until(key.expires).options}


def people(folder: Path) -> dict[str, tuple[AccessKey, ...]]:
    """Read everybody's keys by name, from every file of the folder.

    Raises:
        DeployError: for a file that holds something else.
    """
    files = sorted((folder / ACCESS).glob("*.pub"))
    return {file.stem: read_key_file(file) for file in files}


def retired(folder: Path) -> frozenset[str]:
    """Read the keys, by their blobs, that are let in nowhere any more."""
    file = folder / ACCESS / _RETIRED
    return frozenset(key.blob for key in read_key_file(file)) if file.exists() else frozenset()


def check_name(name: str) -> str:
    """Give back a name that can be a file's.

    Raises:
        DeployError: for any other.
    """
    if not _NAME.fullmatch(name):
        raise DeployError(
            f"{name!r} cannot be a person's name here",
            "use lower case letters, digits, '.', '_' and '-', 31 at most",
        )
    return name


def keep_keys(folder: Path, name: str, keys: Iterable[AccessKey]) -> None:
    """Write a person's keys; none removes the file."""
    file = folder / ACCESS / f"{check_name(name)}.pub"
    if keys := tuple(keys):
        _write(file, keys)
    else:
        file.unlink(missing_ok=True)


def retire(folder: Path, keys: Iterable[AccessKey]) -> None:
    """Note keys that are to be let in nowhere any more; known ones stay."""
    file = folder / ACCESS / _RETIRED
    old = read_key_file(file) if file.exists() else ()
    known = {key.blob: key for key in (*old, *(key.until(None) for key in keys))}
    _write(file, known.values())


def welcome(folder: Path, keys: Iterable[AccessKey]) -> None:
    """Take keys off the list of the retired."""
    file = folder / ACCESS / _RETIRED
    if file.exists():
        blobs = {key.blob for key in keys}
        left = [key for key in read_key_file(file) if key.blob not in blobs]
        _write(file, left)


def _write(file: Path, keys: Iterable[AccessKey]) -> None:
    write_atomically(file, "".join(f"{key.line}\n" for key in keys).encode(), 0o644)
