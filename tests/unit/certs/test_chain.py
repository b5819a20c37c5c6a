"""Reading certificates."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.certificate import from_der
from certs.chain import read_chain
from certs.errors import CertError
from certs.names import matches
from tests.unit.certs.forge import Recipe, authority, chained, forge, new_key

ROOT = authority()
LEAF = forge(Recipe(), ROOT)
PEM = chained(LEAF, ROOT).pem


def test_a_chain_is_read_in_its_order_with_text_and_line_ends_of_any_kind() -> None:
    untidy = b"subject=/CN=x\n" + PEM.replace(b"\n", b"\r\n") + b"the end"

    chain = read_chain(untidy, source="server.crt")

    assert chain.certificates == (LEAF.certificate, ROOT.certificate)
    assert chain.pem == PEM


def test_an_old_label_of_pem_is_read() -> None:
    old = PEM.replace(b"CERTIFICATE", b"X509 CERTIFICATE")

    assert read_chain(old, source="server.crt").pem == PEM


def test_a_handshakes_bytes_are_the_same_certificate() -> None:
    assert from_der(LEAF.certificate.der) == LEAF.certificate


@pytest.mark.parametrize(
    ("pem", "part"),
    [
        (b"", "empty"),
        (b"hello", "no certificate"),
        (PEM.decode().encode("utf-16"), "this is UTF-16 text"),
        (LEAF.certificate.der, "DER"),
        (PEM[:-40], "cut off"),
        (PEM.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), "block 1 is a TRUSTED CERTIFICATE"),
        (PEM.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), "block 1 is a CERTIFICATE REQUEST"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "1 cannot be read"),
        (PEM.replace(b"MII", b"MIZ"), "1 cannot be read"),
    ],
)
def test_what_is_no_chain_is_refused_with_the_files_name(pem: bytes, part: str) -> None:
    with pytest.raises(CertError) as caught:
        read_chain(pem, source="server.crt")

    assert part in caught.value.message
    assert "server.crt" in caught.value.message
    assert caught.value.hint


def test_a_private_key_among_certificates_is_refused_and_not_shown() -> None:
    key = new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(CertError) as caught:
        read_chain(PEM + key, source="server.crt")

    assert "block 3 is a private key" in caught.value.message
    assert key.splitlines()[1].decode() not in caught.value.message


def test_all_broken_certificates_of_a_file_are_told_at_once() -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    with pytest.raises(CertError) as caught:
        read_chain(broken + PEM + broken, source="server.crt")

    assert [line[:25] for line in caught.value.message.splitlines()] == [
        "server.crt: certificate 1",
        "server.crt: certificate 4",
    ]


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("www.example.org", "WWW.Example.org.", True),
        ("*.example.org", "www.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "a.b.example.org", False),
        ("*.example.org", "*.example.org", True),
        ("*.example.org", "*.www.example.org", False),
        ("*.www.example.org", "*.example.org", False),
        ("w*.example.org", "www.example.org", False),
        ("*.0.2.7", "192.0.2.7", False),
        ("*", "localhost", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("2001:db8::7", "[2001:0DB8:0::7]", True),
        ("www.example.org", "ww.example.org", False),
    ],
)
def test_a_name_covers_what_the_standard_says(pattern: str, name: str, covered: bool) -> None:  # noqa: FBT001
    assert matches(pattern, name) is covered


def test_an_old_authoritys_odd_serial_number_does_not_keep_it_from_being_read() -> None:
    der = bytearray(LEAF.certificate.der)
    serial = der.index(b"\xa0\x03\x02\x01\x02") + 7
    der[serial] |= 0x80  # which makes it negative

    assert from_der(bytes(der)).serial.startswith("-")
