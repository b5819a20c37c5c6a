"""What is encrypted to some keys opens with each of these, and with no other."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from certs.envelope import open_envelope
from certs.errors import CertError
from tests.unit.deploy.page.pages import Holder, holder

TEXT = b"what nodes tell\n"


def sealed(*names: str) -> bytes:
    builder = PKCS7EnvelopeBuilder().set_data(TEXT)
    for name in names:
        builder = builder.add_recipient(holder(name).certificate)
    return builder.encrypt(Encoding.DER, [PKCS7Options.Binary])


def opened(data: bytes, *holders: Holder) -> bytes:
    certificates = [one.certificate for one in holders]
    return open_envelope(data, certificates, holders[0].key, source="page")


def test_each_of_its_keys_opens_it() -> None:
    data = sealed("operator", "colleague")

    for name, other in (("operator", "colleague"), ("colleague", "operator")):
        assert opened(data, holder(name), holder(other)) == TEXT


def test_the_key_of_a_stranger_does_not_open_it() -> None:
    with pytest.raises(CertError, match="page does not open with this key"):
        opened(sealed("operator"), holder("stranger"))


def test_a_key_without_its_certificate_opens_nothing() -> None:
    own, other = holder("operator"), holder("stranger")

    with pytest.raises(CertError, match="there is no certificate of this key"):
        open_envelope(sealed("operator"), [other.certificate], own.key, source="page")


@pytest.mark.parametrize("length", [0, 1, 300])
def test_half_of_it_does_not_open(length: int) -> None:
    with pytest.raises(CertError, match="page does not open with this key"):
        opened(sealed("operator")[:length], holder("operator"))
