"""People's keys are read and written safely for sshd, YAML and shells; retired ones stay out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.login_keys import collect_keys
from deploy.spec.people import (
    AccessKey,
    keep_keys,
    people,
    read_key,
    read_key_file,
    retire,
    retired,
    welcome,
)
from tests.unit.deploy.examples import settings

ANN = AccessKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIAnn", "ann@desk")
BOB = AccessKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIBob", "bob@desk")
END = datetime(2026, 12, 24, 18, 30, tzinfo=UTC)


def keys_of(sources: tuple[str, ...], *, folder: Path) -> tuple[str, ...]:
    return collect_keys(Project(folder, settings(SSH_KEYS=" ".join(sources))))


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
    "line",
    [
        f'command="reboot" {ANN.line}',
        f'expiry-time="soon" {ANN.line}',
        f'expiry-time="20269999Z" {ANN.line}',
        "-----BEGIN KEY-----",
    ],
)
def test_a_key_file_accepts_no_option_but_an_expiry(tmp_path: Path, line: str) -> None:
    file = tmp_path / "ann.pub"
    file.write_text(f"{BOB.line}\n{line}\n")

    with pytest.raises(DeployError, match=r"ann\.pub:2: not an SSH public key"):
        read_key_file(file)


def test_keys_are_written_by_name_and_a_person_without_keys_is_removed(tmp_path: Path) -> None:
    keep_keys(tmp_path, "ann", (ANN.until(END),))
    keep_keys(tmp_path, "bob", (BOB,))
    assert people(tmp_path) == {"ann": (ANN.until(END),), "bob": (BOB,)}

    keep_keys(tmp_path, "ann", ())
    assert people(tmp_path) == {"bob": (BOB,)}


@pytest.mark.parametrize("name", ["", "../ann", "Ann", "a b", ".ann", "a" * 40])
def test_a_name_that_cannot_be_a_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeployError, match="is not a valid name"):
        keep_keys(tmp_path, name, (ANN,))


def test_the_spec_has_the_keys_of_people_and_no_retired_key_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(f"{BOB.line}\n{ANN.line}\n")
    keep_keys(tmp_path, "ann", (ANN.until(END),))
    retire(tmp_path, (BOB, BOB))
    retire(tmp_path, (BOB.until(END),))

    assert keys_of(("old.pub",), folder=tmp_path) == (ANN.until(END).line,)
    assert retired(tmp_path) == {BOB.blob}

    welcome(tmp_path, (BOB,))
    assert keys_of(("old.pub",), folder=tmp_path) == (ANN.until(END).line, BOB.line)


def test_when_all_keys_are_retired_the_spec_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(f"{BOB.line}\n")
    retire(tmp_path, (BOB,))

    with pytest.raises(DeployError, match="no SSH public key found"):
        keys_of(("old.pub",), folder=tmp_path)


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
