"""The keys to log in with, in the order that they are tried, some of them behind a passphrase."""

import base64
import contextlib
import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import PublicBlob, UnknownKeyType

from deploy.node.ssh_config import SshOptions

# ssh tries the keys of these names without being asked to; all others were named by the user.
_USUAL = {
    f"id_{kind}" for kind in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa")
}
_PRIVATE, _MAGIC = "-----BEGIN OPENSSH PRIVATE KEY-----", b"openssh-key-v1\0"
_UNUSABLE = (ValueError, OSError, paramiko.SSHException, UnknownKeyType)
_AGENT_SECONDS = 10


class QuestionError(paramiko.AuthenticationException):
    """A host takes the key, and asks for a password or a code as well."""


class TooManyError(paramiko.AuthenticationException):
    """A host ended the login before all keys were tried."""


def load_key(path: Path, passphrase: str | None) -> paramiko.PKey | None:
    """Load a private key, whatever lies beside it; None when that or the passphrase is wrong.

    Raises:
        TypeError: when it wants a passphrase and none is given.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except paramiko.PasswordRequiredException as error:
            raise TypeError from error
        except _UNUSABLE:
            continue
    return None


@dataclass
class Keys:
    """The keys for one host, and paramiko's way to try them (its `auth_strategy`).

    In this order: `opened` and IDENTITY_FILE, the files that the user names in the SSH config, the
    agent, the usual files of ~/.ssh. Each file's certificate comes before it. With `alone`,
    IDENTITY_FILE is the only one.
    """

    options: SshOptions
    identity: Path | None = None
    opened: paramiko.PKey | None = None
    alone: bool = False
    # The files that want a passphrase and whose key no agent holds.
    locked: list[Path] = field(default_factory=list)

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in with the first key that the host accepts.

        Raises:
            QuestionError: when the host wants more than a key.
            TooManyError: when the host does not wait for the last key.
            AuthenticationException: when it accepts none.
        """
        for key in self._keys():
            try:
                wanted = transport.auth_publickey(self.options.user, key)
            except (paramiko.SSHException, EOFError) as error:
                if not transport.is_active():
                    too_many = isinstance(error, paramiko.AuthenticationException)
                    raise (TooManyError if too_many else error) from error
                continue
            if wanted:
                raise QuestionError
            return
        raise paramiko.AuthenticationException

    def _keys(self) -> Iterator[paramiko.PKey]:
        """Give each key once, and each certificate."""
        tried = set()
        for key in self._all():
            blob = key.public_blob
            this = blob.key_blob if blob else key.asbytes()
            if this not in tried:
                tried.add(this)
                yield key

    def _all(self) -> Iterator[paramiko.PKey]:
        if self.opened:
            yield from self._certified(self.opened, self.identity)
        with contextlib.closing(_Agent("" if self.alone else self.options.agent)) as agent:
            if self.identity:
                yield from self._of_file(self.identity.expanduser(), agent)
            if not self.alone:
                yield from self._by_config(agent)

    def _by_config(self, agent: "_Agent") -> Iterator[paramiko.PKey]:
        files = self.options.identities
        usual = [path for path in files if path.name in _USUAL]
        for path in files:
            if path not in usual:
                yield from self._of_file(path, agent)
        if not self.options.identities_only:
            yield from agent.held
        for path in usual:
            yield from self._of_file(path, agent)

    def _of_file(self, path: Path, agent: "_Agent") -> Iterator[paramiko.PKey]:
        """Load a file's key, or take it from the agent, which may have it without a passphrase."""
        public = _public(path)
        held = (one for one in agent.held if one.asbytes() == public)
        key: paramiko.PKey | None = next(held, None)
        try:
            key = key or load_key(path, None)
        except TypeError:
            self.locked.append(path)
        if key:
            yield from self._certified(key, path)

    def _certified(self, key: paramiko.PKey, path: Path | None) -> Iterator[paramiko.PKey]:
        """Give a key with each of its certificates, then alone."""
        beside = [path.with_name(f"{path.name}-cert.pub")] if path else []
        for file in () if self.alone else (*self.options.certificates, *beside):
            with contextlib.suppress(*_UNUSABLE):
                certificate = PublicBlob.from_file(str(file))
                if _is_of(certificate, key):
                    key.public_blob = certificate
                    yield key
        key.public_blob = None
        yield key


class _HeldKey(AgentKey):
    def sign_ssh_data(self, data: Any, algorithm: str | None = None) -> Any:
        """Sign, or give no signature where the agent refuses: then the next key is tried."""
        try:
            return super().sign_ssh_data(data, algorithm)
        except paramiko.SSHException:
            return b""


class _Agent(AgentSSH):
    """The agent at a socket; without one, or when it does not answer, it holds no keys."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.held: list[_HeldKey] = []
        if not path:
            return
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(_AGENT_SECONDS)
        try:
            link.connect(path)
            self._connect(link)  # type: ignore[attr-defined]
        except (*_UNUSABLE, IndexError):
            link.close()
            return
        # The user may have to confirm or to touch something.
        link.settimeout(None)
        for one in self.get_keys():
            key = _HeldKey(self, one.blob, one.comment)
            if "-cert-v01@" in key.name:
                blob = PublicBlob.from_message(paramiko.Message(one.blob))
                key.public_blob = blob  # type: ignore[assignment]
            self.held.append(key)

    def close(self) -> None:
        """Leave the agent."""
        self._close()  # type: ignore[attr-defined]


def _is_of(certificate: PublicBlob, key: paramiko.PKey) -> bool:
    """Check that a certificate is for a key: behind a random string it repeats the numbers."""
    kind, text = key.get_name(), paramiko.Message(certificate.key_blob)
    if not text.get_text().startswith(f"{kind}-cert-v01@"):
        return False
    text.get_string()
    return bool(text.get_remainder().startswith(key.asbytes()[4 + len(kind) :]))


def _public(path: Path) -> bytes:
    """Read the public half of a key file, which may be in the file itself or beside it."""
    for file in (path, path.with_name(f"{path.name}.pub")):
        with contextlib.suppress(OSError, ValueError):
            text = file.read_text(encoding="utf-8")
            if text.startswith(_PRIVATE):
                lines = text.strip().splitlines()[1:-1]
                data = paramiko.Message(base64.b64decode("".join(lines))[len(_MAGIC) :])
                for _ in range(3):  # the cipher, the derivation of its key, its options
                    data.get_string()
                if data.get_int() == 1:
                    return bytes(data.get_string())
            return bytes(PublicBlob.from_string(text).key_blob)
    return b""
