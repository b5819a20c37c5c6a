"""A new pair comes from our own authority or from files, and is judged before it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.chain import read_chain
from certs.errors import CertError
from certs.keyfile import decrypt
from certs.pair import Pair
from certs.signing_request import requested_names
from certs.store import read, read_secret
from deploy.app.credentials import Credentials
from deploy.app.tls import material
from deploy.certificate.issue import cert_request
from deploy.certificate.source import CertOptions, new_pair
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import Settings
from tests.unit.certs.forge import DAY, Key, Made, Recipe, forge
from tests.unit.deploy.examples import settings

PASSWORD = "hunter2"
NAME = "shop.example.org"


def given(**values: object) -> Settings:
    return settings(CERT_PASSWORD=PASSWORD, **values)


def got(folder: Path, options: CertOptions | None = None, **values: object) -> Pair:
    wanted = given(**values)
    return new_pair(Project(folder, wanted), options or CertOptions(), Credentials(wanted, None))


def signed(key: Key | None = None, name: str = NAME) -> Made:
    now = datetime.now(UTC)
    day = timedelta(days=1)
    return forge(Recipe(subject=name, names=(name,), start=now - day, end=now + 30 * day), key=key)


def certificate(folder: Path, made: Made) -> Path:
    file = folder / "given.crt"
    file.write_bytes(made.certificate.pem)
    return file


def private(folder: Path, made: Made) -> Path:
    file = folder / "given.key"
    file.write_bytes(
        made.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    return file


@pytest.mark.parametrize("kind", ["ecdsa-p384", "rsa-2048"])
def test_our_own_authority_is_made_once_and_issues_for_the_kind_of_key_that_is_asked_for(
    tmp_path: Path, kind: str
) -> None:
    one = got(tmp_path, CERT_KEY=kind)
    root = read(material(Project(tmp_path, given())).authority_certificate)
    two = got(tmp_path, CertOptions(days=3), CERT_KEY=kind)

    assert read(material(Project(tmp_path, given())).authority_certificate) == root
    assert one.sha256 != two.sha256
    leaf = read_chain(two.chain, source="f").leaf
    assert leaf.not_after - leaf.not_before < timedelta(days=4)
    assert decrypt(two.key, PASSWORD.encode(), source="f").public_key() == leaf.x509().public_key()
    assert ("P-384" in leaf.key_type) == (kind == "ecdsa-p384")


def test_our_own_authority_is_bound_when_it_is_made_and_vouches_for_nothing_else(
    tmp_path: Path,
) -> None:
    with pytest.raises(CertError, match="may not vouch for shop"):
        got(tmp_path, CERT_AUTHORITY_BOUNDS="example.net")
    assert not material(Project(tmp_path, given())).authority_certificate.exists()

    got(tmp_path, CERT_AUTHORITY_BOUNDS="example.org, 192.0.2.0/24")
    got(tmp_path, CERT_NAMES="new.example.org, 192.0.2.7")

    for name in ("www.example.net", "198.51.100.1", "2001:db8::1"):
        with pytest.raises(CertError, match=f"may not vouch for {name}"):
            got(tmp_path, CERT_NAMES=name)


def test_a_given_pair_is_taken_and_its_key_kept_encrypted(tmp_path: Path) -> None:
    made = signed()
    files = CertOptions(certificate=certificate(tmp_path, made), key=private(tmp_path, made))

    pair = got(tmp_path, files, CERT_FROM="files")

    assert pair.sha256 == made.certificate.sha256
    key = decrypt(pair.key, PASSWORD.encode(), source="f")
    assert key.public_key() == made.key.public_key()


@pytest.mark.parametrize("whole", [True, False])
def test_a_certificate_without_its_issuers_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, whole: bool
) -> None:
    now = datetime.now(UTC)
    middle = forge(Recipe(subject="Middle", names=(), ca=True, start=now - DAY, end=now + DAY))
    made = forge(Recipe(names=(NAME,), start=now - DAY, end=now + DAY), middle)
    file = certificate(tmp_path, made)
    if whole:
        file.write_bytes(made.certificate.pem + middle.certificate.pem)

    got(tmp_path, CertOptions(certificate=file, key=private(tmp_path, made)), CERT_FROM="files")

    said = " ".join(capsys.readouterr().err.split())
    assert ("the server's certificate alone: clients that lack the one of CN=Middle" in said) == (
        not whole
    )


def test_the_answer_to_a_request_belongs_to_the_key_that_waits(tmp_path: Path) -> None:
    wanted = given(CERT_FROM="files")
    cert_request(Project(tmp_path, wanted), Credentials(wanted, None))
    kept = material(Project(tmp_path, wanted))
    waiting = read_secret(kept.request_key)
    assert requested_names(kept.request.read_bytes()) == (NAME,)
    made = signed(decrypt(waiting, PASSWORD.encode(), source="f"))

    pair = got(tmp_path, CertOptions(certificate=certificate(tmp_path, made)), CERT_FROM="files")

    assert pair.sha256 == made.certificate.sha256


def test_a_certificate_without_any_key_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="has no key, and no request was made"):
        got(tmp_path, CertOptions(certificate=certificate(tmp_path, signed())))


def test_with_files_no_certificate_is_issued(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="issues none") as caught:
        got(tmp_path, CERT_FROM="files")

    assert "--certificate FILE" in caught.value.hint


@pytest.mark.parametrize("trouble", ["another key", "another name"])
def test_a_pair_that_cannot_serve_is_refused_with_its_file_name(
    tmp_path: Path, trouble: str
) -> None:
    made = signed(name="other.example.org" if trouble == "another name" else NAME)
    key = private(tmp_path, signed() if trouble == "another key" else made)

    with pytest.raises(CertError, match=r"given\.crt"):
        got(tmp_path, CertOptions(certificate=certificate(tmp_path, made), key=key))

    assert not material(Project(tmp_path, given())).certificate.exists()
