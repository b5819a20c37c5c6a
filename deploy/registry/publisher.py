"""Make a tag name an image: sign that it does, then move it."""

import time
from dataclasses import dataclass
from typing import Self

from certs.detached import public_key, public_pem
from certs.keyfile import PrivateKey
from certs.store import locked
from deploy.app.credentials import Credentials
from deploy.errors import DeployError
from deploy.node.session import passphrase_prompt
from deploy.project import Project
from deploy.registry.keys import signing_keys, trusted_keys
from deploy.registry.plan.manifest import Manifest
from deploy.registry.plan.reference import Reference
from deploy.registry.plan.statement import Statement, next_sequence
from deploy.registry.registry import Registry
from deploy.registry.signatures import Signatures
from deploy.registry.token import Token
from deploy.registry.transport import Transport
from deploy.settings.model import PUBLISH_LOGIN
from deploy.workstation.state import STATE, load_sequence, save_sequence

# The registry that is reached under another name than its images have.
_ALIASES = {"docker.io": "registry-1.docker.io"}
_REPLAYED = "look at the registry: does it show an older state, or did a clock run ahead?"


@dataclass(frozen=True, slots=True)
class Current:
    """What a tag names: a manifest, and what was signed about that."""

    manifest: Manifest
    statement: Statement


@dataclass(frozen=True, slots=True)
class Publisher:
    """The repository that PULL names, with the keys that sign for it."""

    project: Project
    reference: Reference
    registry: Registry
    signatures: Signatures
    keys: tuple[PrivateKey, ...]

    @classmethod
    def of(cls, project: Project, reference: str = "") -> Self:
        """Open the keys and prepare the connection, for PULL or another tag of its registry.

        Nothing is sent yet.

        Raises:
            CertError: when AUTHORITY_PASSWORD does not open a key.
            DeployError: when PULL or a key is missing.
        """
        settings = project.settings
        if not settings.pull:
            raise DeployError(
                "PULL is not set, so there is no registry",
                "set PULL in .env, such as registry.example.org/shop/www:live",
            )
        credentials = Credentials(settings, passphrase_prompt())
        keys = signing_keys(project, credentials)
        at = Reference.parse(reference or settings.pull)
        http = settings.pull_http == "true"
        host = _ALIASES.get(at.registry, at.registry)
        base = f"{'http' if http else 'https'}://{host}"
        token = Token(base, at.repository, lambda: credentials.value(PUBLISH_LOGIN))
        transport = Transport(token, root=project.pull_root, http=http)
        registry = Registry(transport, base, at)
        known = (*trusted_keys(project), *map(public_key, keys))
        return cls(project, at, registry, Signatures(registry, known), keys)

    def current(self, reference: Reference) -> Current:
        """Read what a tag names.

        Raises:
            DeployError: when it names nothing, an image that none of PULL_KEYS has signed for it,
                or an older one than it named before.
        """
        found = self.registry.manifest(reference.tag)
        if found is None:
            raise DeployError(f"there is no {reference}", "publish it first: `fab publish`")
        statement = self.signatures.latest(reference, found.digest)
        if statement is None:
            raise DeployError(
                f"no key of PULL_KEYS has signed that {reference} is {found.digest}",
                "nodes refuse it as well; publish it with `fab publish`",
            )
        seen = self._seen(reference)
        if statement.sequence < seen:
            raise DeployError(
                f"{reference} is older than what it was before: sequence {statement.sequence}, and "
                f"this workstation has seen {seen}",
                _REPLAYED,
            )
        if statement.sequence > seen:
            save_sequence(self.project.folder, str(reference), statement.sequence)
        return Current(found, statement)

    def next_serial(self) -> int:
        """Choose a number above all that were signed for the tag."""
        found = self.registry.manifest(self.reference.tag)
        stated = self.signatures.latest(self.reference, found.digest) if found else None
        seen = (self._seen(self.reference), *([stated.sequence] if stated else []))
        return next_sequence(time.time_ns() // 1_000_000, seen)

    def move(
        self, reference: Reference, manifest: Manifest, *, back: Statement | None = None
    ) -> Statement | None:
        """Sign that a tag names an image that the registry has, then move the tag.

        `back` is an earlier statement about the same tag and image, for going back to it.
        Return what was signed; None where all of it was so already.

        Raises:
            DeployError: when the registry refuses, or the tag is moved by others meanwhile.
        """
        with locked(self.project.folder / STATE / "publish.lock"):
            before = self.registry.manifest(reference.tag)
            stated = self.signatures.latest(reference, before.digest) if before else None
            same = before is not None and before.digest == manifest.digest
            if same and back is None and stated and self._is_complete(reference, stated):
                return None
            earlier = self.signatures.latest(reference, manifest.digest)
            seen = (self._seen(reference), *(one.sequence for one in (stated, earlier) if one))
            statement = Statement(
                str(reference),
                manifest.digest,
                next_sequence(time.time_ns() // 1_000_000, seen),
                _previous(back or (stated if same else None), stated),
            )
            self.signatures.add(statement, self.keys, reference)
            self._put(reference, manifest, before)
            save_sequence(self.project.folder, str(reference), statement.sequence)
            return statement

    def _put(self, reference: Reference, manifest: Manifest, before: Manifest | None) -> None:
        self._refuse_moved(reference, before)
        self.registry.put_manifest(reference.tag, manifest)
        self._refuse_moved(reference, manifest)

    def _refuse_moved(self, reference: Reference, expected: Manifest | None) -> None:
        found = self.registry.manifest(reference.tag)
        if (found and found.digest) != (expected and expected.digest):
            raise DeployError(
                f"{reference} was moved by someone else meanwhile",
                "agree who publishes, then run the same command again",
            )

    def _is_complete(self, reference: Reference, stated: Statement) -> bool:
        """Tell whether the latest statement is signed by every key of ours, and none was later."""
        signers = {
            public_pem(self.signatures.keys[one.key])
            for one in self.signatures.of(stated.image)
            if one.statement == stated
        }
        own = {public_pem(public_key(key)) for key in self.keys}
        return own <= signers and stated.sequence >= self._seen(reference)

    def _seen(self, reference: Reference) -> int:
        return load_sequence(self.project.folder, str(reference))


def _previous(kept: Statement | None, stated: Statement | None) -> str:
    """Choose the image to go back to: the kept statement's, else the one that the tag names now."""
    if kept:
        return kept.previous
    return stated.image if stated else ""
