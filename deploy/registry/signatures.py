"""The signatures of an image in a registry, kept as cosign keeps them."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from certs.detached import sign, signed_by
from certs.keyfile import PrivateKey
from deploy.errors import DeployError
from deploy.registry.plan.manifest import (
    CONFIG_TYPE,
    MOST_SIGNATURES,
    SIGNATURE_KEY,
    SIGNATURE_TYPE,
    Descriptor,
    blob_of,
    layers_of,
    manifest_of,
    signature_config,
    signature_tag,
)
from deploy.registry.plan.reference import Reference
from deploy.registry.plan.statement import Statement, payload, read_payload
from deploy.registry.registry import Registry

_MOST_BYTES = 1 << 16
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature: its place, what it states if a known key made it, and the number of that key."""

    blob: Descriptor
    statement: Statement | None = None
    key: int = -1

    def states(self, reference: Reference) -> bool:
        """Tell whether a known key has signed what this tag names."""
        return self.statement is not None and self.statement.reference == str(reference)


@dataclass(frozen=True, slots=True)
class Signatures:
    """Reads signatures of a repository by the public keys that nodes accept."""

    registry: Registry
    keys: Sequence[EllipticCurvePublicKey]

    def of(self, image: str) -> tuple[Signed, ...]:
        """Read every signature of an image.

        Raises:
            DeployError: when they cannot be read.
        """
        manifest = self.registry.manifest(signature_tag(image))
        if manifest is None:
            return ()
        found = layers_of(manifest.content, f"the signatures of {image}")
        return tuple(self._read(one, image) for one in found[:MOST_SIGNATURES])

    def latest(self, reference: Reference, image: str) -> Statement | None:
        """Read the latest statement that a tag names an image; None where no known key made one."""
        stated = [one.statement for one in self.of(image) if one.states(reference)]
        return max(filter(None, stated), key=lambda one: one.sequence, default=None)

    def add(self, statement: Statement, private: Sequence[PrivateKey], at: Reference) -> None:
        """Sign a statement with every key; it replaces earlier ones about the same tag.

        Another workstation may write signatures of the same image meanwhile: they are read again
        until ours are among them.

        Raises:
            DeployError: when the registry does not keep them.
        """
        data = payload(statement)
        made = tuple(_signature(key, data) for key in private)
        self.registry.put_blob(made[0], data)
        for _ in range(_TRIES):
            found = self.of(statement.image)
            present = [one.blob for one in found]
            if all(one in present for one in made):
                return
            others = [one.blob for one in found if not one.states(at)]
            self._write(statement.image, (*others, *made))
        raise DeployError(
            f"{self.registry.name} does not keep the signature of {statement.image}",
            "does someone else sign the same image now? run the same command again",
        )

    def _write(self, image: str, signatures: Sequence[Descriptor]) -> None:
        if len(signatures) > MOST_SIGNATURES:
            raise DeployError(
                f"{image} has {len(signatures)} signatures, and nodes read {MOST_SIGNATURES}",
                f"delete the tag {signature_tag(image)} in the registry, and publish again",
            )
        config = signature_config(signatures)
        described = blob_of(config, CONFIG_TYPE)
        self.registry.put_blob(described, config)
        self.registry.put_manifest(signature_tag(image), manifest_of(described, signatures, {}))

    def _read(self, blob: Descriptor, image: str) -> Signed:
        """Read one signature; of others, only where it is."""
        if blob.media_type != SIGNATURE_TYPE or blob.size > _MOST_BYTES:
            return Signed(blob)
        try:
            signature = base64.b64decode(blob.annotations[SIGNATURE_KEY], validate=True)
        except (KeyError, binascii.Error):
            return Signed(blob)
        data = self.registry.read_blob(blob)
        for number in self._signers(signature, data or b""):
            statement = read_payload(data or b"")
            if statement and statement.image == image:
                return Signed(blob, statement, number)
        return Signed(blob)

    def _signers(self, signature: bytes, data: bytes) -> Iterator[int]:
        return (n for n, key in enumerate(self.keys) if signed_by(key, signature, data))


def _signature(key: PrivateKey, data: bytes) -> Descriptor:
    made = base64.b64encode(sign(key, data)).decode()
    return blob_of(data, SIGNATURE_TYPE, **{SIGNATURE_KEY: made})
