"""SSH certificates: for one key, one person, some users and a short while."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from certs.errors import CertError
from certs.keyfile import new_key
from certs.ssh import LONGEST, public_line, sign_person

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate().public_key()
PUBLIC = KEY.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048"])
def test_a_certificate_is_for_this_key_person_and_while(kind: str) -> None:
    authority = new_key(kind)

    signed = sign_person(
        authority, PUBLIC, person="ann", users=["core"], valid=(NOW, timedelta(hours=12))
    )

    found = load_ssh_public_identity(signed)
    assert isinstance(found, SSHCertificate)
    found.verify_cert_signature()
    assert found.type == SSHCertificateType.USER
    assert (found.key_id, found.valid_principals) == (b"ann", [b"core"])
    assert found.public_key() == KEY
    assert found.valid_before == int((NOW + timedelta(hours=12)).timestamp())
    assert found.valid_after < NOW.timestamp()
    assert (
        public_line(authority).split()[1]
        == (
            found.signature_key()
            .public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            .decode()
            .split()[1]
        )
    )


@pytest.mark.parametrize("life", [timedelta(0), timedelta(hours=-1), LONGEST + timedelta(hours=1)])
def test_a_life_that_is_not_short_is_refused(life: timedelta) -> None:
    with pytest.raises(CertError, match="not short-lived"):
        sign_person(new_key(), PUBLIC, person="ann", users=["core"], valid=(NOW, life))


# An ECDSA point whose first byte is not 4, which is how the uncompressed ones begin.
COMPRESSED = (
    b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB"
    + base64.b64encode(b"\x03" + bytes(64))
)


@pytest.mark.parametrize("public", [b"", b"no key", b"ssh-ed25519 AAAA", b"\xff", COMPRESSED])
def test_what_is_no_public_key_is_refused_by_the_persons_name(public: bytes) -> None:
    with pytest.raises(CertError, match="ann's key cannot be signed"):
        sign_person(
            new_key(), public, person="ann", users=["core"], valid=(NOW, timedelta(hours=1))
        )
