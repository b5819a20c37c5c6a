"""The private key to log in with (IDENTITY_FILE), and how its file is replaced."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from certs.ssh import new_ssh_key
from deploy.errors import DeployError
from deploy.spec.access_key import AccessKey, read_key
from deploy.spec.key_file import read_key_file
from deploy.workstation.files import write_atomically


class Identity:
    """A private key's file, and the files beside it while it is being replaced.

    FILE.new is the next key. FILE.old.pub exists once FILE has been replaced, until the old key has
    been removed from every node; nodes may still accept it. FILE.retired is the previous key, which
    no node accepts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.public = _beside(path, ".pub")
        self.new = _beside(path, ".new")
        self.new_public = _beside(path, ".new.pub")
        self.old_public = _beside(path, ".old.pub")
        self.retired = _beside(path, ".retired")

    def store_new(self, private: bytes, public: AccessKey) -> None:
        """Write the next key; FILE.new is written last, so where it exists both are complete."""
        write_atomically(self.new_public, f"{public.line}\n".encode(), 0o644)
        write_atomically(self.new, private, 0o600)

    def swap(self) -> None:
        """Replace FILE by FILE.new; keep the previous key in FILE.retired and FILE.old.pub.

        After an interruption FILE is either key, complete, and another call finishes.
        """
        self.restore_public()
        if self.new.exists():
            old = public_key(self.path)
            write_atomically(self.old_public, f"{old.line}\n".encode(), 0o644)
            write_atomically(self.retired, self.path.read_bytes(), 0o600)
            # ssh offers the key in FILE.pub: beside another private key, no login would work.
            self.public.unlink(missing_ok=True)
            self.new.replace(self.path)
        if self.new_public.exists():
            self.new_public.replace(self.public)

    def restore_public(self) -> None:
        """Write FILE.pub again if a swap was interrupted before FILE was replaced."""
        if self.new.exists() and self.old_public.exists() and not self.public.exists():
            write_atomically(self.public, self.old_public.read_bytes(), 0o644)

    def finish(self) -> None:
        """Note that no node accepts the previous key any more."""
        self.old_public.unlink(missing_ok=True)


def new_key(comment: str, passphrase: str) -> tuple[bytes, AccessKey]:
    """Generate an Ed25519 key: the private key in OpenSSH's format, and the public key."""
    key = new_ssh_key(passphrase)
    kind, blob = key.public.split()
    return key.private, AccessKey(kind, blob, comment)


def public_key(path: Path) -> AccessKey:
    """Read the public key of a private key: from the key itself, or FILE.pub if it is locked.

    Raises:
        DeployError: when it cannot be read.
    """
    beside = _beside(path, ".pub")
    if is_locked(path):
        if beside.exists() and (found := read_key_file(beside, any_kind=True)):
            return found[0]
        raise DeployError(
            f"{beside} is missing, and {path} has a passphrase",
            f"make it: ssh-keygen -y -f {path} >{beside}",
        )
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
        text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DeployError(
            f"{path} is not a readable private key: {error}",
            "make one with `ssh-keygen -t ed25519`",
        ) from error
    comment = next((key.comment for key in _comments(beside)), "")
    found_key = read_key(f"{text} {comment}")
    if found_key is None:
        raise DeployError(f"{path} holds a key of an unsupported type", "use Ed25519")
    return found_key


def _comments(beside: Path) -> tuple[AccessKey, ...]:
    try:
        return read_key_file(beside, any_kind=True)
    except DeployError:
        return ()


def is_locked(path: Path) -> bool:
    """Check whether a private key has a passphrase."""
    try:
        load_ssh_private_key(path.read_bytes(), None)
    except TypeError:  # the library's answer when a passphrase is missing
        return True
    except (OSError, ValueError, UnsupportedAlgorithm):
        return False
    return False


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")
