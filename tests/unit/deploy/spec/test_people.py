"""People's keys are read and written safely for sshd, YAML and shells; retired ones stay out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.access_key import AccessKey, read_key
from deploy.spec.key_file import read_key_file
from deploy.spec.login_keys import collect_keys
from deploy.spec.people import keys_by_person, reinstate, retire, retired_keys, write_keys
from tests.unit.deploy.examples import settings

ANN = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIAnnxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ann@desk",
)
BOB = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIBobxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "bob@desk",
)
END = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)


def project(folder: Path) -> Project:
    return Project(folder, settings(SSH_KEYS="old.pub"))


def test_an_expiry_is_written_as_sshd_reads_it_and_read_again() -> None:
    limited = ANN.until(END)

    assert limited.line == f'expiry-time="202612241830Z" {ANN.line}'
    assert read_key(limited.line) == limited
    assert limited.expires == END
    assert limited.until(None) == ANN


def test_an_expiry_may_be_a_day() -> None:
    key = read_key(f'expiry-time="20261224Z" {ANN.blob}')

    assert key
    assert key.expires == datetime(2026, 12, 24, tzinfo=UTC)


@pytest.mark.parametrize("line", ["", "# ann", "ssh-ed25519", "AAAA only", "ssh-ed25519 BBBB x"])
def test_a_line_that_is_not_a_key_is_none(line: str) -> None:
    assert read_key(line) is None


def test_a_line_of_a_node_keeps_its_options() -> None:
    key = read_key(f'from="192.0.2.1",command="uptime now" {ANN.blob}')

    assert key
    assert key.options == 'from="192.0.2.1",command="uptime now"'
    assert key.blob == ANN.blob


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f'command="reboot" {ANN.line}', "options other than expiry-time: command"),
        (f'expiry-time="soon" {ANN.line}', "an expiry-time in another form"),
        (f'expiry-time="20269999Z" {ANN.line}', "an expiry-time in another form"),
        ("-----BEGIN KEY-----", "a private key or a certificate"),
    ],
)
def test_a_key_file_accepts_no_option_but_an_expiry(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "ann.pub"
    file.write_text(f"{BOB.line}\n{line}\n")

    with pytest.raises(DeployError, match=rf"ann\.pub:2: .*{reason}"):
        read_key_file(file)


def test_keys_are_written_by_name_and_a_person_without_keys_is_removed(tmp_path: Path) -> None:
    write_keys(project(tmp_path), "ann", (ANN.until(END),))
    write_keys(project(tmp_path), "bob", (BOB,))
    assert keys_by_person(project(tmp_path)) == {"ann": (ANN.until(END),), "bob": (BOB,)}

    write_keys(project(tmp_path), "ann", ())
    assert keys_by_person(project(tmp_path)) == {"bob": (BOB,)}


def test_a_certificate_beside_a_key_is_not_a_persons_and_no_person_is_named_so(
    tmp_path: Path,
) -> None:
    write_keys(project(tmp_path), "ann", (ANN,))
    project(tmp_path).access.joinpath("ann-cert.pub").write_text(
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t\n"
    )

    assert keys_by_person(project(tmp_path)) == {"ann": (ANN,)}


def test_a_retired_key_may_be_of_any_kind(tmp_path: Path) -> None:
    dss = read_key("ssh-dss AAAAB3NzaC1kc3MAAAABMQAAAAExAAAAATEAAAABMQ==")
    assert dss
    retire(project(tmp_path), (dss,))

    assert retired_keys(project(tmp_path)) == {dss.blob}


@pytest.mark.parametrize("name", ["ann-cert", "", "../ann", "Ann", "a b", ".ann", "a" * 40])
def test_a_name_that_cannot_be_a_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeployError, match="is not a valid name"):
        write_keys(project(tmp_path), name, (ANN,))


def test_the_spec_has_the_keys_of_people_and_no_retired_key_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(f"{BOB.line}\n{ANN.line}\n")
    write_keys(project(tmp_path), "ann", (ANN.until(END),))
    retire(project(tmp_path), (BOB, BOB))
    retire(project(tmp_path), (BOB.until(END),))

    assert collect_keys(project(tmp_path)) == (ANN.until(END).line,)
    assert retired_keys(project(tmp_path)) == {BOB.blob}

    reinstate(project(tmp_path), (BOB,))
    assert collect_keys(project(tmp_path)) == (ANN.until(END).line, BOB.line)


def test_when_all_keys_are_retired_the_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(f"{BOB.line}\n")
    retire(project(tmp_path), (BOB,))

    with pytest.raises(DeployError, match="no SSH public key found"):
        collect_keys(project(tmp_path))


@given(
    st.text()
    | st.from_regex(r'(expiry-time="[0-9]{8,12}Z" |[a-z=",]* ?)ssh-ed25519 AAAA[A-Za-z0-9+/=]*.*')
)
def test_a_key_of_any_line_is_written_as_it_was_read(line: str) -> None:
    key = read_key(line)

    if key:
        assert read_key(key.line) == key
        assert isinstance(key.fingerprint, str)
        assert key.expires is None or key.expires.tzinfo
