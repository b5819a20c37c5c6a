"""The certificate and encrypted key of an app, on the workstation."""

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
from deploy.node.file import File
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.plan.values import key_uid


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its encrypted key file."""

    chain: Chain
    key_file: bytes = field(repr=False)

    @property
    def leaf(self) -> Certificate:
        """The app's own certificate."""
        return self.chain.leaf

    def files(self, settings: Settings) -> tuple[File, File]:
        """Return both as files of a release; only the container's user can read the key."""
        return (
            File("tls/server.crt", self.chain.pem),
            File("tls/server.key.enc", self.key_file, 0o400, key_uid(settings)),
        )


def material(project: Project) -> Material:
    """Return where an app's certificate and key lie."""
    return Material(project.settings.app, project.material)


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Keep other commands on this workstation from changing the app's certificate meanwhile."""
    with locked(project.material / f".{project.settings.app}.lock"):
        yield


def load_pair(project: Project) -> Pair:
    """Read an app's certificate and key file; that needs no password.

    Raises:
        CertError: when one is missing or cannot be read.
    """
    kept = material(project)
    found = load(kept)
    chain = read_chain(found.chain, source=str(kept.certificate.relative_to(project.folder)))
    return Pair(chain, found.key)


def check_pair(pair: Pair, settings: Settings, password: str | None) -> None:
    """Refuse a certificate and key that cannot serve, with all problems at once.

    Without the password, only the certificate is checked.

    Raises:
        CertError: for a wrong password, a key of another certificate, an expired one, ….
    """
    key = None
    if password is not None:
        key = decrypt(pair.key_file, password.encode(), source="server.key.enc")
    found = problems(pair.chain, key, names=settings.all_names, now=datetime.now(UTC))
    if found:
        raise refusal(pair.chain.source, found)
