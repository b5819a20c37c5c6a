"""Keys that never leave the workstation have a password of their own, which no node gets."""

from pathlib import Path

import pytest

from certs.errors import CertError
from certs.keyfile import encrypt, new_key, opens
from certs.store import write_secret
from deploy.app.credentials import Credentials
from deploy.app.own_keys import own_key
from deploy.errors import DeployError
from tests.unit.deploy.examples import settings

OWN = "only for the workstation"


def credentials(**values: object) -> Credentials:
    return Credentials(
        settings(**{"CERT_PASSWORD": "hunter2", "AUTHORITY_PASSWORD": OWN} | values), None
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme/account.key.enc"


def test_a_key_is_made_once_and_the_containers_password_does_not_open_it(path: Path) -> None:
    made = own_key(path, credentials())

    assert own_key(path, credentials()).private_numbers() == made.private_numbers()
    assert opens(path.read_bytes(), OWN.encode())
    assert not opens(path.read_bytes(), b"hunter2")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "given"),
    [
        (b"hunter2", {}),
        (b"hunter1", {"CERT_PASSWORD_OLD": "hunter1"}),
        (b"an older one", {"AUTHORITY_PASSWORD_OLD": "an older one"}),
        (b"an older one", {"AUTHORITY_PASSWORD_OLD_COMMAND": "echo an older one"}),
    ],
)
@pytest.mark.program
def test_a_key_with_an_earlier_password_is_encrypted_again_at_its_next_use(
    path: Path, before: bytes, given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    key = new_key()
    write_secret(path, encrypt(key, before))

    assert own_key(path, credentials(**given)).public_key() == key.public_key()
    assert opens(path.read_bytes(), OWN.encode())
    assert not opens(path.read_bytes(), before)
    assert (
        "acme/account.key.enc is encrypted with AUTHORITY_PASSWORD now" in capsys.readouterr().out
    )


def test_a_key_that_no_password_opens_is_kept_and_the_error_names_what_to_set(path: Path) -> None:
    sealed = encrypt(new_key(), b"forgotten")
    write_secret(path, sealed)

    with pytest.raises(CertError, match="AUTHORITY_PASSWORD does not open this key") as caught:
        own_key(path, credentials())
    assert "AUTHORITY_PASSWORD_OLD" in caught.value.hint
    assert path.read_bytes() == sealed


def test_without_the_password_the_error_says_that_it_is_a_new_one(path: Path) -> None:
    write_secret(path, encrypt(new_key(), b"hunter2"))

    with pytest.raises(DeployError, match="AUTHORITY_PASSWORD is not set") as caught:
        own_key(path, credentials(AUTHORITY_PASSWORD=None))
    assert "a new one" in caught.value.hint


@pytest.mark.program
def test_the_containers_password_is_refused_wherever_it_comes_from(path: Path) -> None:
    same = credentials(AUTHORITY_PASSWORD=None, AUTHORITY_PASSWORD_COMMAND="echo hunter2")

    with pytest.raises(DeployError, match="AUTHORITY_PASSWORD is CERT_PASSWORD"):
        own_key(path, same)
    assert not path.exists()


def test_no_node_is_sent_the_password_or_told_its_name() -> None:
    found = credentials()

    assert found.value("AUTHORITY_PASSWORD") == OWN
    assert found.names == ("cert_pass",)
    assert found.known() == {"cert_pass": "hunter2"}
