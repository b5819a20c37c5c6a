"""An app's certificate and key on disk: replaced, archived and restored together."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from certs.chain import read_chain
from certs.errors import CertError
from certs.store import Material, read, read_secret, settle, write_public, write_secret

KEPT = 5
_CHAIN, _KEY = "server.crt", "server.key.enc"


@dataclass(frozen=True, slots=True)
class Pair:
    """A chain as PEM and the encrypted key file of its first certificate."""

    chain: bytes
    key: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The fingerprint of the server's certificate."""
        return read_chain(self.chain, source=_CHAIN).leaf.sha256


def load(material: Material) -> Pair:
    """Read an app's pair, finishing a replacement that was interrupted; raise CertError."""
    _finish(material)
    return Pair(read(material.certificate), read_secret(material.key))


def replace(material: Material, new: Pair, *, now: datetime) -> None:
    """Replace an app's pair and archive the old one.

    Two files cannot be replaced in one step. So the new pair is first laid beside the old, whole;
    whatever interrupts the moving that follows, the next `load` or `replace` finishes it.
    """
    _finish(material)
    if material.certificate.exists() and material.key.exists():
        _keep(material, now)
    _lay(material.next, new)
    _finish(material)


def kept(material: Material) -> tuple[Path, ...]:
    """List the folders of archived pairs, the latest first."""
    return tuple(sorted(material.previous.glob("[0-9]*"), reverse=True))


def restore(material: Material, *, now: datetime) -> Pair:
    """Restore the latest archived pair that differs from the present one; raise CertError if none.

    The present pair is kept in its turn, so that restoring twice changes nothing.
    """
    present = load(material)
    for folder in kept(material):
        earlier = Pair(read(folder / _CHAIN), read_secret(folder / _KEY))
        if earlier != present:
            replace(material, earlier, now=now)
            return earlier
    raise CertError(
        f"{material.previous}: no earlier certificate is kept",
        "issue or import a new one instead",
    )


def _keep(material: Material, now: datetime) -> None:
    present = Pair(read(material.certificate), read_secret(material.key))
    _lay(material.previous / f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}", present)
    for old in kept(material)[KEPT:]:
        shutil.rmtree(old)


def _lay(folder: Path, pair: Pair) -> None:
    """Write a pair into a folder, atomically."""
    beside = folder.with_name(f".{folder.name}")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        write_secret(beside / _KEY, pair.key)
        write_public(beside / _CHAIN, pair.chain)
        beside.replace(folder)
        settle(folder.parent)
    except OSError as error:
        raise CertError(
            f"{folder}: cannot be written: {error.strerror}",
            "check who may write there, and the space left on its disk",
        ) from error


def _finish(material: Material) -> None:
    """Move the files of `next` into place; a later call finishes an interrupted move."""
    folder = material.next
    try:
        for name, target in ((_KEY, material.key), (_CHAIN, material.certificate)):
            if (folder / name).exists():
                (folder / name).replace(target)
        if folder.exists():
            folder.rmdir()
            settle(folder.parent)
    except OSError as error:
        raise CertError(
            f"{folder}: an interrupted replacement cannot be finished: {error.strerror}",
            "move the two files in it one folder up by hand",
        ) from error
