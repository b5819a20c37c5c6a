"""The private key to log in with, IDENTITY_FILE, and its replacement by another."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from deploy.errors import DeployError
from deploy.spec.people import AccessKey, read_key, read_key_file
from deploy.workstation.files import write_atomically


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key's file, and the files that stand beside it while it is being replaced.

    FILE.new is the next key. FILE.old.pub says that FILE has been replaced and that the old key is
    still to be taken off the nodes. FILE.retired is the key before, which no node lets in any more.
    """

    path: Path

    @property
    def public(self) -> Path:
        """The public half."""
        return _beside(self.path, ".pub")

    @property
    def new(self) -> Path:
        """The next private key."""
        return _beside(self.path, ".new")

    @property
    def new_public(self) -> Path:
        """The next public key."""
        return _beside(self.path, ".new.pub")

    @property
    def old_public(self) -> Path:
        """The public key that is still to be taken off the nodes."""
        return _beside(self.path, ".old.pub")

    @property
    def retired(self) -> Path:
        """The private key before."""
        return _beside(self.path, ".retired")

    def is_locked(self) -> bool:
        """Tell whether a passphrase protects it."""
        return _is_locked(self.path)

    def lay_new(self, private: bytes, public: AccessKey) -> None:
        """Lay the next key beside; the private half comes last and says that it is whole."""
        write_atomically(self.new_public, f"{public.line}\n".encode(), 0o644)
        write_atomically(self.new, private, 0o600)

    def swap(self) -> None:
        """Take the next key; the one before stays as FILE.retired, its public half as FILE.old.pub.

        Whatever interrupts this, FILE is one of the two keys, whole, and a repetition finishes.
        """
        self.mend()
        if self.new.exists():
            old = public_key(self.path)
            write_atomically(self.old_public, f"{old.line}\n".encode(), 0o644)
            write_atomically(self.retired, self.path.read_bytes(), 0o600)
            # ssh offers what FILE.pub says: beside another private key it would lock us out.
            self.public.unlink(missing_ok=True)
            self.new.replace(self.path)
        if self.new_public.exists():
            self.new_public.replace(self.public)

    def mend(self) -> None:
        """Give FILE its public half again where a swap was interrupted before FILE was replaced."""
        if self.new.exists() and self.old_public.exists() and not self.public.exists():
            write_atomically(self.public, self.old_public.read_bytes(), 0o644)

    def finish(self) -> None:
        """Forget the key before; its private half stays beside, of no use any more."""
        self.old_public.unlink(missing_ok=True)


def new_key(comment: str, passphrase: str) -> tuple[bytes, AccessKey]:
    """Make an Ed25519 key: the private half as OpenSSH writes it, and the public one."""
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock)
    text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    kind, blob = text.split()[:2]
    return private, AccessKey(kind, blob, comment)


def public_key(path: Path) -> AccessKey:
    """Read the public half of a private key: from the file beside it, or from the key itself.

    Raises:
        DeployError: when neither can be read.
    """
    beside = _beside(path, ".pub")
    if _is_locked(path):
        if beside.exists() and (found := read_key_file(beside)):
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
            f"{path} is no private key that can be read: {error}",
            "make one with `ssh-keygen -t ed25519`",
        ) from error
    comment = next((key.comment for key in _comments(beside)), "")
    found_key = read_key(f"{text} {comment}")
    if found_key is None:
        raise DeployError(f"{path} holds a kind of key that is not known here", "use Ed25519")
    return found_key


def _comments(beside: Path) -> tuple[AccessKey, ...]:
    try:
        return read_key_file(beside)
    except DeployError:
        return ()


def _is_locked(path: Path) -> bool:
    try:
        load_ssh_private_key(path.read_bytes(), None)
    except TypeError:  # how the library says that it wants a passphrase
        return True
    except (OSError, ValueError, UnsupportedAlgorithm):
        return False
    return False


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")
