"""The encrypted key file."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certs import keyfile
from certs.errors import CertError
from certs.pbes2 import Protection, read_protection, seal
from tests.unit.certs.forge import new_key

Program = Callable[[str], str]
REAL_ROUNDS = keyfile.ROUNDS  # before the session's fixture makes it few
PASSWORD = "pässword: 1 $`'\"".encode()


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return keyfile.encrypt(keyfile.new_key(), PASSWORD)


def rounds(pem: bytes) -> int:
    return read_protection(keyfile.envelope(pem, source="k")).rounds


@pytest.mark.parametrize("kind", keyfile.KINDS)
def test_a_key_of_every_kind_survives_being_encrypted(kind: str) -> None:
    key = keyfile.new_key(kind)

    opened = keyfile.decrypt(keyfile.encrypt(key, PASSWORD), PASSWORD, source="k")

    assert opened.private_numbers() == key.private_numbers()


def test_the_librarys_own_reader_opens_it_too(sealed: bytes) -> None:
    key = load_pem_private_key(sealed, PASSWORD)

    assert key.public_key() == keyfile.decrypt(sealed, PASSWORD, source="k").public_key()


def test_a_key_file_is_protected_by_as_many_rounds_as_owasp_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyfile, "ROUNDS", REAL_ROUNDS)

    pem = keyfile.encrypt(keyfile.new_key(), PASSWORD)

    assert rounds(pem) == REAL_ROUNDS >= 600_000


@pytest.mark.program
def test_openssl_finds_the_stated_algorithms_and_count(
    sealed: bytes, tmp_path: Path, program: Program
) -> None:
    path = tmp_path / "server.key.enc"
    path.write_bytes(sealed)

    shown = subprocess.run(
        [program("openssl"), "asn1parse", "-in", str(path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    for part in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", f":{keyfile.ROUNDS:04X}"):
        assert part in shown


@pytest.mark.program
@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048"])
def test_openssl_opens_it_with_the_password_from_stdin(
    kind: str, tmp_path: Path, program: Program
) -> None:
    key = keyfile.new_key(kind)
    path = tmp_path / "server.key.enc"
    path.write_bytes(keyfile.encrypt(key, PASSWORD))

    command = [program("openssl"), "pkey", "-in", str(path), "-passin", "stdin", "-pubout"]
    public = subprocess.run(command, input=PASSWORD, check=True, capture_output=True).stdout

    assert public == key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_plain_key_is_nowhere_in_the_file_and_no_two_files_are_alike(sealed: bytes) -> None:
    key = keyfile.decrypt(sealed, PASSWORD, source="k")
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    again = keyfile.encrypt(key, PASSWORD)

    assert again != sealed
    assert plain not in sealed
    assert PASSWORD not in sealed


def test_a_new_password_opens_the_same_key_and_the_old_one_no_longer_does(sealed: bytes) -> None:
    renewed = keyfile.encrypt(keyfile.decrypt(sealed, PASSWORD, source="k"), b"new")

    old, new = (
        keyfile.decrypt(sealed, PASSWORD, source="k"),
        keyfile.decrypt(renewed, b"new", source="k"),
    )
    assert old.public_key() == new.public_key()
    with pytest.raises(CertError, match="password"):
        keyfile.decrypt(renewed, PASSWORD, source="k")


def test_a_file_of_few_rounds_is_read() -> None:
    few = new_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD)
    )

    assert rounds(few) < REAL_ROUNDS
    assert keyfile.decrypt(few, PASSWORD, source="k").key_size == 256


@pytest.mark.parametrize(
    ("pem", "part"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"hello", "no encrypted private key"),
        (b"\x30\x82\x01\x00", "no encrypted private key"),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n????\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "damaged",
        ),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" * 3,
            "damaged",
        ),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "PBES2",
        ),
    ],
)
def test_what_is_no_key_file_is_named_as_such(pem: bytes, part: str) -> None:
    with pytest.raises(CertError) as caught:
        keyfile.decrypt(pem, PASSWORD, source="server.key.enc")

    assert part in caught.value.message
    assert "server.key.enc" in caught.value.message
    assert caught.value.hint


def test_a_plain_key_is_refused() -> None:
    plain = new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(CertError, match="not encrypted"):
        keyfile.decrypt(plain, PASSWORD, source="k")


def test_a_wrong_password_is_said_without_showing_it(sealed: bytes) -> None:
    with pytest.raises(CertError) as caught:
        keyfile.decrypt(sealed, b"hunter2", source="server.key.enc")

    assert "server.key.enc" in caught.value.message
    assert "hunter2" not in repr(caught.value) + caught.value.message + caught.value.hint


@pytest.mark.parametrize("password", [b"", b"two\nlines", b"nul\0", b"x" * 1024])
def test_a_password_that_openssl_could_not_read_is_refused(password: bytes) -> None:
    with pytest.raises(CertError, match="password"):
        keyfile.encrypt(new_key(), password)


def test_a_kind_of_key_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(CertError) as caught:
        keyfile.new_key("dsa")

    assert "ecdsa-p256" in caught.value.hint


def test_a_forged_count_of_rounds_is_refused_at_once() -> None:
    der = seal(b"", PASSWORD, Protection(0x010203, bytes(16), bytes(16)))
    forged = der.replace(b"\x01\x02\x03", b"\x7f\xff\xff", 1)
    label = b"ENCRYPTED PRIVATE KEY"
    pem = b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, base64.b64encode(forged), label)

    with pytest.raises(CertError, match="8388607 rounds"):
        keyfile.decrypt(pem, PASSWORD, source="k")
