"""The certificate and the encrypted key that an app is to serve with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from certs.certificate import Certificate
from certs.chain import Chain, read_chain
from certs.checks import problems
from certs.errors import refusal
from certs.keyfile import decrypt
from certs.pair import load
from certs.store import Material, locked
from deploy.project import Project
from deploy.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Pair:
    """A chain and its key file, as they are on the workstation."""

    chain: Chain
    key_file: bytes = field(repr=False)

    @property
    def leaf(self) -> Certificate:
        """The app's own certificate."""
        return self.chain.leaf


def material(project: Project) -> Material:
    """Say where an app's certificate and key are kept."""
    return Material(project.settings.app, project.material)


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Let no other command of this machine change an app's certificate while the block lasts."""
    with locked(project.material / f".{project.settings.app}.lock"):
        yield


def load_pair(project: Project) -> Pair:
    """Read an app's certificate and key file, without the key's password.

    Raises:
        CertError: when one is missing or cannot be read.
    """
    kept = material(project)
    found = load(kept)
    chain = read_chain(found.chain, source=str(kept.certificate.relative_to(project.folder)))
    return Pair(chain, found.key)


def check_chain(pair: Pair, settings: Settings) -> None:
    """Refuse a certificate that visitors would: all that can be told without the key's password.

    Raises:
        CertError: for an expired one, for names of the app that it lacks, ….
    """
    found = problems(pair.chain, None, names=settings.cert_names, now=datetime.now(UTC))
    if found:
        raise refusal(pair.chain.source, found)


def check_pair(pair: Pair, settings: Settings, password: str) -> None:
    """Refuse a pair that would not serve: every problem at once.

    Raises:
        CertError: for a wrong password, a key of another certificate, an expired one, ….
    """
    key = decrypt(pair.key_file, password.encode(), source="server.key.enc")
    found = problems(pair.chain, key, names=settings.cert_names, now=datetime.now(UTC))
    if found:
        raise refusal(pair.chain.source, found)
