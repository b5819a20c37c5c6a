"""Whatever bytes a parser is given, it answers with a value or with CertError."""

import base64
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import product

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certs import keyfile
from certs.authority import issue, new_authority
from certs.bundle import read_bundle
from certs.certificate import from_der
from certs.chain import read_chain
from certs.checks import problems
from certs.constraints import name_constraints
from certs.errors import CertError
from certs.import_key import read_key
from certs.names import general_names, matches, name_problem
from certs.signing_request import requested_names, signing_request
from certs.ssh import sign_person
from tests.examples import examples
from tests.unit.certs.forge import DAY, NOW, Recipe, authority, forge

CASES = examples(200, 2000)
PASSWORD = b"password"
ROOT = authority()
LEAF = forge(Recipe(names=("www.example.org", "192.0.2.7")), ROOT)
BOUND = new_authority(
    "Bound", now=NOW, lifetime=DAY, key=keyfile.new_key(), permitted=["example.org"]
)
BOUND_LEAF = issue(BOUND, ["*.example.org"], now=NOW, lifetime=DAY, key=keyfile.new_key()).leaf
SIGNER = keyfile.new_key()
SSH_KEY = SIGNER.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
CERTIFICATES = [LEAF.certificate.der, BOUND.certificate.der, BOUND_LEAF.der]

Parser = Callable[[bytes], object]


def keys() -> list[bytes]:
    shapes = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    encryptions = (NoEncryption(), BestAvailableEncryption(PASSWORD))
    pems = [
        LEAF.key.private_bytes(Encoding.PEM, shape, encryption)
        for shape, encryption in product(shapes, encryptions)
    ]
    return [*pems, LEAF.key.private_bytes(Encoding.DER, shapes[0], encryptions[0])]


def bundles() -> list[bytes]:
    quick = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(1)
        .hmac_hash(hashes.SHA256())
        .build(PASSWORD)
    )
    certificates = [ROOT.certificate.x509(), LEAF.certificate.x509()]
    return [
        pkcs7.serialize_certificates(certificates, Encoding.DER),
        pkcs7.serialize_certificates(certificates, Encoding.PEM),
        pkcs12.serialize_key_and_certificates(
            b"www", LEAF.key, certificates[1], certificates[:1], quick
        ),
        LEAF.certificate.der,
        keys()[0] + LEAF.certificate.pem,
    ]


@st.composite
def spoiled(draw: st.DrawFn, seeds: Iterable[bytes]) -> bytes:
    """Draw a sound file with a few bytes changed, put in or left out, or cut off."""
    data = bytearray(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 1, 1, 2, 8, len(data)]))
        data[place : place + length] = draw(st.binary(max_size=4))
    return bytes(data)


def pem(label: str) -> Callable[[bytes], bytes]:
    mark = label.encode()
    return lambda der: (
        b"-----BEGIN %b-----\n%b-----END %b-----\n"
        % (
            mark,
            base64.encodebytes(der),
            mark,
        )
    )


def assert_answers(parse: Parser, data: bytes) -> None:
    try:
        parse(data)
    except CertError as error:
        assert error.message  # noqa: PT017 - answering with a value is as good


def judged(data: bytes) -> None:
    problems(read_chain(data, source="f"), LEAF.key, names=["www.example.org"], now=NOW)


fuzzed = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@fuzzed
@given(st.binary(max_size=40) | spoiled(CERTIFICATES))
def test_a_certificate_from_a_handshake(data: bytes) -> None:
    assert_answers(from_der, data)


@fuzzed
@given(spoiled(CERTIFICATES).map(pem("CERTIFICATE")) | spoiled([LEAF.certificate.pem]))
def test_a_chain_and_its_checks(data: bytes) -> None:
    assert_answers(judged, data + ROOT.certificate.pem)


@fuzzed
@given(spoiled(keys()) | st.binary(max_size=40).map(pem("ENCRYPTED PRIVATE KEY")))
def test_a_key_in_any_form(data: bytes) -> None:
    assert_answers(lambda given: read_key(given, source="f", password=PASSWORD), data)
    assert_answers(lambda given: read_key(given, source="f"), data)


@fuzzed
@given(
    spoiled([base64.b64decode(b"".join(keys()[1].splitlines()[1:-1]))]).map(
        pem("ENCRYPTED PRIVATE KEY")
    )
    | spoiled([keys()[1]])
)
def test_our_own_key_file(data: bytes) -> None:
    assert_answers(lambda given: keyfile.decrypt(given, PASSWORD, source="f"), data)


@fuzzed
@given(st.binary(max_size=40) | spoiled(bundles()))
def test_an_authoritys_answer_in_any_form(data: bytes) -> None:
    assert_answers(lambda given: read_bundle(given, source="f", password=PASSWORD), data)


@fuzzed
@given(spoiled([signing_request(["www.example.org"], key=keyfile.new_key())]))
def test_a_signing_request(data: bytes) -> None:
    assert_answers(requested_names, data)


@fuzzed
@given(spoiled([SSH_KEY]) | st.binary(max_size=40))
def test_a_persons_ssh_key(data: bytes) -> None:
    valid = (NOW, timedelta(hours=1))
    assert_answers(
        lambda given: sign_person(SIGNER, given, person="ann", users=["core"], valid=valid), data
    )


@fuzzed
@given(st.text(max_size=30) | st.from_regex(r"[a-z0-9.*:\[\]/%-]{0,30}"))
def test_a_name(text: str) -> None:
    assert_answers(lambda _: general_names([text]), b"")
    assert_answers(lambda _: name_constraints([text]), b"")
    if name_problem(text) is None:
        assert matches(text, text)
        general_names([text])


def test_the_seeds_are_sound_or_the_fuzzing_would_show_nothing() -> None:
    for der in CERTIFICATES:
        assert from_der(der).der == der
    for data in keys():
        assert read_key(data, source="f", password=PASSWORD).key_size == 256
    for data in bundles():
        assert read_bundle(data, source="f", password=PASSWORD).chain.leaf == LEAF.certificate
    with pytest.raises(CertError):
        from_der(CERTIFICATES[0][:-1])
