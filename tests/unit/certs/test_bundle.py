"""Importing what others made."""

import re
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from certs.bundle import read_bundle
from certs.errors import CertError
from certs.import_key import read_key
from certs.keyfile import new_key
from certs.signing_request import signing_request
from tests.unit.certs.forge import Recipe, authority, chained, forge

Program = Callable[[str], str]
ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
LEAF = forge(Recipe(), MIDDLE)
OTHER = forge(Recipe(subject="other", names=("other.example",)))
CHAIN = chained(LEAF, MIDDLE)
PASSWORD = b"password"
MIXED = [made.certificate.x509() for made in (ROOT, OTHER, LEAF, MIDDLE)]


def key_pem(
    shape: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = NoEncryption(),  # noqa: B008 - holds nothing
    encoding: Encoding = Encoding.PEM,
) -> bytes:
    return LEAF.key.private_bytes(encoding, shape, encryption)


def packed(password: bytes | None = PASSWORD, key: bool = True) -> bytes:  # noqa: FBT001, FBT002
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    above = [MIDDLE.certificate.x509(), ROOT.certificate.x509()][::-1]
    return pkcs12.serialize_key_and_certificates(
        b"www", LEAF.key if key else None, LEAF.certificate.x509(), above, encryption
    )


def test_pem_with_its_key_in_it_gives_both() -> None:
    found = read_bundle(key_pem() + CHAIN.pem, source="all.pem")

    assert found.chain.certificates == CHAIN.certificates
    assert found.key is not None
    assert found.key.private_numbers() == LEAF.key.private_numbers()
    assert "key" not in repr(found).replace("key_type", "")


def test_pem_keeps_its_order() -> None:
    found = read_bundle(chained(MIDDLE, LEAF).pem, source="chain.pem")

    assert found.chain.certificates == (MIDDLE.certificate, LEAF.certificate)


def test_der_gives_one_certificate() -> None:
    assert read_bundle(LEAF.certificate.der, source="x.cer").chain.leaf == LEAF.certificate


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_pkcs7_is_put_in_order_around_the_key(encoding: Encoding) -> None:
    data = pkcs7.serialize_certificates(MIXED, encoding)

    found = read_bundle(data, source="chain.p7b", key=LEAF.key)

    assert found.chain.certificates == (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)
    assert found.key is None


def test_pkcs7_without_any_key_begins_with_the_certificate_that_is_no_authoritys() -> None:
    made = [one.certificate.x509() for one in (ROOT, MIDDLE, LEAF)]

    found = read_bundle(pkcs7.serialize_certificates(made, Encoding.DER), source="chain.p7b")

    assert found.chain.leaf == LEAF.certificate


def test_pkcs7_without_the_keys_certificate_is_refused() -> None:
    data = pkcs7.serialize_certificates(MIXED, Encoding.DER)

    with pytest.raises(CertError, match="no server's certificate for this key among 4"):
        read_bundle(data, source="chain.p7b", key=new_key())


@pytest.mark.parametrize("password", [PASSWORD, None])
def test_pkcs12_gives_an_ordered_chain_and_its_key(password: bytes | None) -> None:
    found = read_bundle(packed(password), source="www.p12", password=password)

    assert found.chain.certificates == (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)
    assert found.key is not None
    assert found.key.public_key() == LEAF.key.public_key()


def test_pkcs12_without_a_key_gives_the_chain() -> None:
    assert read_bundle(packed(None, key=False), source="www.p12").key is None


@pytest.mark.parametrize("password", [b"wrong", None, b""])
def test_pkcs12_with_a_wrong_password_is_refused(password: bytes | None) -> None:
    with pytest.raises(CertError, match=r"www\.p12: this PKCS#12 file does not open"):
        read_bundle(packed(), source="www.p12", password=password)


@pytest.mark.parametrize("label", [b"PKCS7", b"PKCS #7 SIGNED DATA", b"CMS", b"CERTIFICATE"])
def test_pkcs7_is_read_under_every_label_of_pem_and_without_a_warning(label: bytes) -> None:
    data = pkcs7.serialize_certificates(MIXED, Encoding.PEM)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_bundle(data.replace(b"PKCS7", label), source="chain.p7b", key=LEAF.key)

    assert found.chain.leaf == LEAF.certificate


def test_pkcs7_in_ber_is_read_without_a_warning() -> None:
    der = pkcs7.serialize_certificates(MIXED, Encoding.DER)
    header = 4  # its tag, and a length of two bytes behind their number
    ber = b"\x30\x80" + der[header:] + b"\0\0"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_bundle(ber, source="chain.p7b", key=LEAF.key)

    assert found.chain.leaf == LEAF.certificate


def test_a_file_with_authorities_alone_says_so() -> None:
    data = pkcs7.serialize_certificates([ROOT.certificate.x509()], Encoding.DER)

    with pytest.raises(CertError, match="no server's certificate among 1") as caught:
        read_bundle(data, source="chain.p7b")

    assert "CA:TRUE" in caught.value.hint


@pytest.mark.parametrize("password", [PASSWORD, b"", None])
def test_pkcs12_without_a_password_opens_whatever_password_is_set(password: bytes | None) -> None:
    found = read_bundle(packed(None), source="www.p12", password=password)

    assert found.key is not None


@pytest.mark.program
@pytest.mark.parametrize("words", [(), ("-keypbe", "NONE", "-certpbe", "NONE")])
@pytest.mark.parametrize("password", [PASSWORD, None])
def test_pkcs12_that_openssl_made_with_an_empty_password_opens(
    tmp_path: Path, program: Program, words: tuple[str, ...], password: bytes | None
) -> None:
    (tmp_path / "all.pem").write_bytes(key_pem() + CHAIN.pem)
    command = [program("openssl"), "pkcs12", "-export", "-in", "all.pem", "-passout", "pass:"]
    done = subprocess.run([*command, *words], cwd=tmp_path, check=True, capture_output=True)

    assert read_bundle(done.stdout, source="www.p12", password=password).key is not None


def test_parameters_before_a_key_are_passed_over() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

    found = read_bundle(parameters + key_pem() + CHAIN.pem, source="all.pem")

    assert found.chain.certificates == CHAIN.certificates


@pytest.mark.parametrize(
    "data", [b"", b" ", b"hello", b"0", b"\x30\x82", b"\x30\x03\x02\x01\x03", b"\x30\x02\x06\x00"]
)
def test_what_is_none_of_them_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(CertError, match=r"given\.file") as caught:
        read_bundle(data, source="given.file")

    assert caught.value.hint


@pytest.mark.parametrize("shape", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_plain_key_is_read_in_every_usual_form_even_with_a_needless_password(
    shape: PrivateFormat, encoding: Encoding
) -> None:
    data = key_pem(shape, encoding=encoding)

    for password in (None, PASSWORD):
        found = read_key(data, source="www.key", password=password)
        assert found.public_key() == LEAF.key.public_key()


@pytest.mark.parametrize(
    ("shape", "encoding"),
    [
        (PrivateFormat.PKCS8, Encoding.PEM),
        (PrivateFormat.PKCS8, Encoding.DER),
        (PrivateFormat.TraditionalOpenSSL, Encoding.PEM),
    ],
)
def test_an_encrypted_key_needs_its_password(shape: PrivateFormat, encoding: Encoding) -> None:
    data = key_pem(shape, BestAvailableEncryption(PASSWORD), encoding)

    found = read_key(data, source="www.key", password=PASSWORD)
    assert found.public_key() == LEAF.key.public_key()
    with pytest.raises(CertError, match="is encrypted"):
        read_key(data, source="www.key")
    with pytest.raises(CertError, match="password does not open"):
        read_key(data, source="www.key", password=b"wrong")


def test_a_key_of_another_kind_or_two_keys_are_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )

    with pytest.raises(CertError, match="Ed25519 keys cannot"):
        read_key(other, source="www.key")
    with pytest.raises(CertError, match="2 private keys"):
        read_key(other + other, source="www.key")
    with pytest.raises(CertError, match="empty"):
        read_key(b"", source="www.key")


def test_a_request_names_all_and_is_signed_by_the_key() -> None:
    key = new_key("rsa-2048")
    names = ("www.example.org", "*.example.org", "192.0.2.7")

    request = x509.load_pem_x509_csr(signing_request(names, key=key))

    alternatives = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(str(name.value) for name in alternatives) == names
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()


@pytest.mark.program
def test_openssl_answers_a_request_and_the_answer_is_imported(
    tmp_path: Path, program: Program
) -> None:
    key = new_key()
    (tmp_path / "csr.pem").write_bytes(signing_request(["www.example.org"], key=key))
    (tmp_path / "ca.crt").write_bytes(MIDDLE.certificate.pem)
    (tmp_path / "ca.key").write_bytes(
        MIDDLE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )

    command = [program("openssl"), "x509", "-req", "-in", "csr.pem", "-copy_extensions", "copy"]
    command += ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "answer.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    answer = read_bundle((tmp_path / "answer.pem").read_bytes(), source="answer.pem", key=key)
    assert answer.chain.leaf.covers("www.example.org")
    assert answer.chain.leaf.issuer == "CN=Middle"


def test_a_damaged_key_that_makes_the_library_panic_is_told_like_any_other() -> None:
    old = key_pem(PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSWORD))
    vector = re.search(rb"DEK-Info: [A-Z0-9-]+,([0-9A-F]+)", old)
    assert vector is not None

    with pytest.raises(CertError, match=r"www\.key: the file is damaged"):
        read_key(old.replace(vector[1], vector[1][:20]), source="www.key", password=PASSWORD)
