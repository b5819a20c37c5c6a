"""SSH public keys as lines of authorized_keys and .pub files."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.errors import DeployError

# The option that makes a key an authority: certificates it signed log in as the user they name.
AUTHORITY = "cert-authority"
_LINE = re.compile(
    r"(?:(?P<options>[a-z].*?) +)?(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) +"
    r"(?P<key>AAAA[A-Za-z0-9+/]+=*)(?: +(?P<comment>.*))?"
)
_EXPIRY = re.compile(r'expiry-time="(\d{8}(?:\d{4})?)Z"')
_FORMAT = "%Y%m%d%H%M"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A line of an authorized_keys file; `options` is the text before the key's type."""

    kind: str
    key: str
    comment: str = ""
    options: str = ""

    @property
    def blob(self) -> str:
        """The type and base64 text: the same for every line of one key."""
        return f"{self.kind} {self.key}"

    @property
    def line(self) -> str:
        """The line as sshd reads it."""
        return " ".join(part for part in (self.options, self.blob, self.comment) if part)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as OpenSSH writes it."""
        try:
            digest = hashlib.sha256(base64.b64decode(self.key)).digest()
        except binascii.Error:
            return "unreadable"
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    @property
    def expires(self) -> datetime | None:
        """When sshd stops accepting the key; None for never."""
        match = _EXPIRY.search(self.options)
        if not match:
            return None
        try:
            return datetime.strptime(match[1].ljust(12, "0"), _FORMAT).replace(tzinfo=UTC)
        except ValueError:  # no such day
            return None

    def until(self, expires: datetime | None) -> "AccessKey":
        """Return the same key with this expiry (None: never) and no other option."""
        options = f'expiry-time="{expires.astimezone(UTC):{_FORMAT}}Z"' if expires else ""
        return AccessKey(self.kind, self.key, self.comment, options)


def read_key(line: str) -> AccessKey | None:
    """Parse a line; None when it is empty, a comment or not a public key.

    Characters of the comment that YAML or a shell could interpret become `_`.
    """
    match = _LINE.fullmatch(line.strip())
    if not match:
        return None
    comment = re.sub(r"[^A-Za-z0-9@._+ -]", "_", match["comment"] or "").strip()
    return AccessKey(match["kind"], match["key"], comment, match["options"] or "")


def read_key_file(path: Path) -> tuple[AccessKey, ...]:
    """Read every key of a public key file.

    Raises:
        DeployError: when the file cannot be read, or naming the line that is not a public key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise DeployError(
            f"{path} cannot be read: {reason}", "check the path and its permissions"
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
    """Check that its options are the ones that this tool writes."""
    return key.options in {"", AUTHORITY, key.until(key.expires).options}
