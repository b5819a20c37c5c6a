"""SSH public keys as lines of authorized_keys and .pub files, parsed by sshd's rules."""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deploy.spec.key_blob import SIGNATURES, normalize, problem_of

# The option that makes a key an authority: certificates it signed log in as the user they name.
AUTHORITY = "cert-authority"
# Two words and the rest.
_WORDS = re.compile(r"([^ \t]+)[ \t]+([^ \t]+)[ \t]*(.*)", re.DOTALL)
# Year, month, day, hour and minute, each with blanks or zeros before it; seconds are ignored.
_EXPIRY = re.compile(
    r"([ \d]{3}\d)([ \d]\d)([ \d]\d)(?:([ \d]\d)([ \d]\d)(?:[ 0-5]\d|6[01])?)?(?:Z|UTC)?",
    re.IGNORECASE | re.ASCII,
)
_FORMAT = "%Y%m%d%H%M"
EXPIRY_OPTION = "expiry-time"
_LAST_DAY = 31


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
    def identity(self) -> str:
        """What the line grants: its options and its key; the same for lines that grant the same."""
        options = sorted(f'{name}="{value}"' for name, value in _options(self.options))
        return f"{','.join(options)} {self.blob}".lstrip()

    @property
    def holder(self) -> str:
        """Who the line lets in: the key's holder, or everyone with a certificate that it signed."""
        return f"{AUTHORITY} {self.blob}" if self.is_authority else self.blob

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of its options, each once."""
        return tuple(dict.fromkeys(name for name, _ in _options(self.options)))

    @property
    def is_authority(self) -> bool:
        """Whether certificates that the key signed log in, instead of the key itself."""
        return AUTHORITY in self.option_names

    @property
    def line(self) -> str:
        """The line as sshd reads it."""
        return " ".join(part for part in (self.options, self.blob, self.comment) if part)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as OpenSSH writes it."""
        return f"SHA256:{base64.b64encode(self.digest).decode().rstrip('=')}"

    @property
    def digest(self) -> bytes:
        """The SHA-256 hash of the key."""
        return hashlib.sha256(base64.b64decode(self.key)).digest()

    @property
    def problem(self) -> str:
        """Why nodes do not let the key in, whoever has it; empty when they do."""
        return problem_of(self.kind, self.key)

    @property
    def expires(self) -> datetime | None:
        """When sshd stops accepting the key; None for never, the past for what it cannot read."""
        found = [_moment(value) for name, value in _options(self.options) if name == EXPIRY_OPTION]
        return min(found, default=None)

    def logs_in(self, now: datetime) -> bool:
        """Check that the key logs in at `now`, from anywhere and without a forced command."""
        names = set(self.option_names)
        return names <= {EXPIRY_OPTION} and not self.problem and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        """Check whether sshd refuses the key at `now` because of its age."""
        return self.expires is not None and self.expires <= now

    def until(self, expires: datetime | None) -> "AccessKey":
        """Return the same key with this expiry (None: never) and no other option."""
        options = f'{EXPIRY_OPTION}="{expires.astimezone(UTC):{_FORMAT}}Z"' if expires else ""
        return AccessKey(self.kind, self.key, self.comment, options)


def read_key(line: str) -> AccessKey | None:
    """Parse a line as sshd does; None when it is empty, a comment or not a public key.

    A key is `TYPE BASE64 COMMENT`; before it may stand options, once, with white space only inside
    quotes. Characters of the comment that YAML or a shell could interpret become `_`.
    """
    text = _seen(line)
    if is_ignored(line):
        return None
    if key := _plain_key(text):
        return key
    end = _end_of_options(text)
    found = _plain_key(text[end:].lstrip(" \t"))
    return AccessKey(found.kind, found.key, found.comment, text[:end]) if found else None


def is_ignored(line: str) -> bool:
    """Check whether sshd ignores a line, which is empty or a comment."""
    return _seen(line)[:1] in {"", "#"}


def identity_of(line: str) -> str:
    """Return what a line grants; for a line that is not understood, the line itself."""
    key = read_key(line)
    return key.identity if key else _seen(line)


def _seen(line: str) -> str:
    """Return the part of a line that sshd sees: without blanks before it, up to a zero byte."""
    return line.partition("\0")[0].rstrip("\r\n").lstrip(" \t")


def _plain_key(text: str) -> AccessKey | None:
    """Parse `TYPE BASE64 COMMENT`; the base64 may contain line ends, and names its own type."""
    match = _WORDS.fullmatch(text)
    if not match:
        return None
    try:
        kind, key = normalize(re.sub(r"[\r\n\v\f]", "", match[2]))
    except ValueError:
        return None
    if match[1] not in {kind, *SIGNATURES.get(kind, ())}:
        return None
    comment = re.sub(r"[^A-Za-z0-9@._+ -]", "_", match[3]).strip()
    return AccessKey(kind, key, comment)


def _end_of_options(text: str) -> int:
    """Find the blank that ends the options; 0 when a quote is open at the end."""
    at, quoted = 0, False
    while at < len(text) and (quoted or text[at] not in " \t"):
        if text.startswith('\\"', at):
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        at += 1
    return 0 if quoted else at


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Split options at commas outside of quotes: names in lower case, values without quotes.

    A value without quotes, which sshd does not read, is empty.
    """
    for part in re.findall(r'(?:\\"|"(?:\\"|[^"\\]|\\(?!"))*"|[^,"\\]|\\(?!"))+', text):
        name, _, value = part.partition("=")
        yield name.lower(), value[1:-1] if value.startswith('"') else ""


def _moment(text: str) -> datetime:
    """Parse an expiry-time; one that sshd cannot read lets no one in, as if it were past."""
    match = _EXPIRY.fullmatch(text)
    try:
        if match:
            year, month, day, hour, minute = (int(part or 0) for part in match.groups())
            # sshd counts a day that the month does not have on into the next month.
            if 1 <= day <= _LAST_DAY:
                first = datetime(year, month, 1, hour, minute, tzinfo=UTC)
                return first + timedelta(days=day - 1)
    except ValueError:  # no such month
        pass
    return datetime.min.replace(tzinfo=UTC)
