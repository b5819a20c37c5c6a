"""Files that ask for absurd work are refused before any of it is done."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from certs.bundle import read_bundle
from certs.errors import CertError
from certs.import_key import read_key
from certs.work import MOST_ROUNDS, check_work
from tests.unit.certs.forge import Recipe, forge

FEW, MANY = b"\x02\x03\x01\x11\x70", b"\x02\x03\x7f\xff\xff"  # 70,000 and 8,388,607 as DER
MAC = b"\x30\x41\x30\x31"  # how the MAC of SHA-256 begins
PASSWORD = b"password"
LEAF = forge(Recipe())


def element(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes(2)
    return bytes([tag, 0x82]) + length + content


def endless(tag: int, content: bytes) -> bytes:
    return bytes([tag | 0x20, 0x80]) + content + b"\0\0"


def number(value: int) -> bytes:
    return element(2, value.to_bytes(8, signed=True))


def salted(*factors: int) -> bytes:
    return element(0x30, element(4, b"8 bytes!") + b"".join(number(one) for one in factors))


@pytest.fixture(scope="module")
def bundle() -> bytes:
    encryption = (
        PrivateFormat.PKCS12.encryption_builder().kdf_rounds(70_000).hmac_hash(hashes.SHA256())
    )
    return pkcs12.serialize_key_and_certificates(
        b"www", LEAF.key, LEAF.certificate.x509(), None, encryption.build(PASSWORD)
    )


@pytest.mark.parametrize("place", [0, 1])
def test_pkcs12_with_absurd_rounds_of_certificates_or_key_is_refused(
    bundle: bytes, place: int
) -> None:
    parts = bundle.split(FEW)
    assert len(parts) == 3
    forged = FEW.join(parts[: place + 1]) + MANY + FEW.join(parts[place + 1 :])

    with pytest.raises(CertError, match=r"www\.p12: 84\d{5} rounds"):
        read_bundle(forged, source="www.p12", password=PASSWORD)


def test_pkcs12_with_absurd_rounds_of_its_mac_is_refused(bundle: bytes) -> None:
    body, mac = bundle[4:].split(MAC)
    assert mac.endswith(b"\x02\x02\x08\x00")
    forged = element(0x30, body + element(0x30, MAC[2:] + mac[:-4] + number(1 << 40)))

    with pytest.raises(CertError, match=r"www\.p12: 10995\d{8} rounds"):
        read_bundle(forged, source="www.p12", password=PASSWORD)


def test_pkcs12_of_usual_rounds_is_read(bundle: bytes) -> None:
    assert read_bundle(bundle, source="www.p12", password=PASSWORD).key


@pytest.mark.parametrize("pem", [True, False])
@pytest.mark.parametrize(
    "scheme",
    # PBES1 with MD5 and DES, and PBES2 with PBKDF2 and scrypt.
    ["2a864886f70d010503", "2a864886f70d01050c", "2b06010401da47040b"],
)
def test_an_encrypted_key_of_any_scheme_with_absurd_rounds_is_refused(
    scheme: str, *, pem: bool
) -> None:
    algorithm = element(0x30, element(6, bytes.fromhex(scheme)) + salted(1 << 40))
    der = element(0x30, algorithm + element(4, b"secret"))
    label = b"ENCRYPTED PRIVATE KEY"
    armoured = b"-----BEGIN %b-----\n%b\n-----END %b-----\n"
    data = armoured % (label, base64.b64encode(der), label) if pem else der

    with pytest.raises(CertError, match="rounds of key derivation"):
        read_key(data, source="given.key", password=PASSWORD)


@pytest.mark.parametrize(
    "data",
    [
        salted(MOST_ROUNDS + 1),
        salted(MOST_ROUNDS + 1, 32),
        salted(0),
        salted(-1),
        salted(1 << 20, 8, 1),
        salted(16, 1 << 20, 1),
        element(0x30, b"".join(salted(1_000_000) for _ in range(6))),
        element(4, salted(1 << 40)),
        element(4, element(4, salted(1 << 40)) + b"rest"),
        element(0x24, element(4, salted(1 << 40)[:9]) + element(4, salted(1 << 40)[9:])),
        endless(0x30, endless(4, element(4, b"salt")) + number(1 << 40)),
        endless(0xA0, endless(4, endless(4, element(4, salted(1 << 40))))),
        element(0x30, element(0x30, b"") + element(4, b"salt") + number(1 << 40)),
        b"\xbf\x85\x01\x82" + len(salted(1 << 40)).to_bytes(2) + salted(1 << 40),
        element(0x30, salted(1 << 40)) + b"rest",
    ],
)
def test_absurd_work_is_found_however_it_is_written(data: bytes) -> None:
    with pytest.raises(CertError, match="rounds of key derivation"):
        check_work(data, source="f")


@pytest.mark.parametrize(
    "data",
    [
        salted(600_000, 32),
        salted(16384, 8, 1),
        salted(),
        # Explicit parameters of a curve: base point, order, cofactor.
        element(0x30, number(1) + element(4, b"base") + number(1 << 60)),
        element(4, b"no element in it"),
        b"",
        b"\x30",
        b"\x30\x84\xff\xff\xff\xff",
    ],
)
def test_usual_work_and_other_data_are_left_to_the_reader(data: bytes) -> None:
    check_work(data, source="f")


def test_a_file_of_endless_levels_is_refused() -> None:
    with pytest.raises(CertError, match="nested too deeply"):
        check_work(b"\x30\x80" * 5000, source="f")
