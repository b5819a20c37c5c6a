"""The project's known_hosts has for each node the keys it may show."""

import base64
import hmac
import subprocess
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.known_hosts import KnownKeys, known_keys, pin, pinned, unpin

LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeyxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther00xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
ONE, TWO = "ssh-ed25519 AAAAOne", "ssh-rsa AAAATwo"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "certs/known_hosts"


def test_a_pinned_key_is_written_after_its_host(file: Path) -> None:
    pin(file, "web1", None, (f"{ONE} root@web1", TWO))

    assert file.read_text() == f"web1 {ONE}\nweb1 {TWO}\n"


@pytest.mark.parametrize(
    ("port", "pattern"), [(None, "10.0.0.1"), (22, "10.0.0.1"), (2222, "[10.0.0.1]:2222")]
)
def test_another_port_is_another_host(file: Path, port: int | None, pattern: str) -> None:
    pin(file, "10.0.0.1", port, (ONE,))

    assert file.read_text() == f"{pattern} {ONE}\n"


def test_pinning_again_replaces_the_hosts_keys_and_keeps_the_rest(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"# ours\nweb1 {ONE}\nweb10 {ONE}\n[web1]:2222 {ONE}\n|1|hash= {ONE}\n")

    pin(file, "web1", None, (TWO,))
    assert file.read_text() == (
        f"# ours\nweb10 {ONE}\n[web1]:2222 {ONE}\n|1|hash= {ONE}\nweb1 {TWO}\n"
    )


HASHED = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|{}"


def hashed(name: str) -> str:
    """Hash a name as ssh does."""
    return HASHED.format(base64.b64encode(hmac.digest(bytes(20), name.encode(), "sha1")).decode())


@pytest.mark.parametrize(
    ("hosts", "left"),
    [
        (hashed("web1"), None),
        ("WEB1", None),
        ("web1,192.0.2.7", "192.0.2.7"),
        (f"{hashed('web1')},web2", "web2"),
        ("web*", "web*,!web1"),
        ("web1,web?", "web?,!web1"),
        ("web*,!web1", "web*,!web1"),
        (hashed("web2"), hashed("web2")),
        ("@revoked web1", "@revoked web1"),
        (HASHED.format("!"), HASHED.format("!")),
    ],
)
@pytest.mark.parametrize("blank", [" ", "\t"])
def test_pinning_again_leaves_no_other_pin_of_the_host_however_it_is_written(
    file: Path, hosts: str, left: str | None, blank: str
) -> None:
    file.parent.mkdir()
    file.write_text(f"{hosts}{blank}{OTHER} a comment\n")

    pin(file, "web1", None, (LINE,))

    assert pinned(file, "web1", None) == (LINE,)
    before = f"{left}{blank if left == hosts else ' '}{OTHER} a comment\n" if left else ""
    assert file.read_text() == f"{before}web1 {LINE}\n"


def test_a_last_line_without_a_newline_is_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"web2 {ONE}")

    pin(file, "web1", None, (TWO,))
    assert file.read_text() == f"web2 {ONE}\nweb1 {TWO}\n"


def test_unpinning_removes_a_node_and_keeps_the_others(file: Path) -> None:
    pin(file, "web1", None, (ONE, TWO))
    pin(file, "web2", None, (ONE,))

    unpin(file, "web1", None)
    unpin(file, "web3", None)
    assert file.read_text() == f"web2 {ONE}\n"


def test_unpinning_creates_no_file(file: Path) -> None:
    unpin(file, "web1", None)

    assert not file.exists()


def test_no_temporary_file_is_left_and_known_hosts_is_readable_by_all(file: Path) -> None:
    pin(file, "web1", None, (ONE,))

    assert [path.name for path in file.parent.iterdir()] == ["known_hosts"]
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("patterns", "host", "port", "matches"),
    [
        ("web1", "web1", None, True),
        ("WEB1", "web1", 22, True),
        ("web1", "web1", 2222, False),
        ("[web1]:2222", "web1", 2222, True),
        ("web2,web1", "web1", None, True),
        ("web?", "web1", None, True),
        ("*.example.org", "www.example.org", None, True),
        ("*.example.org,!www.example.org", "www.example.org", None, False),
        ("!web1", "web1", None, False),
        ("web1.*", "web10", None, False),
        ("|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|i2QgSx+OQ5Nn1BLiHEBkrx7p3zU=", "web2", None, False),
    ],
)
def test_a_host_is_compared_with_patterns_as_ssh_does(
    file: Path, patterns: str, host: str, port: int | None, *, matches: bool
) -> None:
    file.parent.mkdir()
    file.write_text(f"{patterns} {LINE} a comment\n")

    assert pinned(file, host, port) == ((LINE,) if matches else ())


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=f"{tmp_path} cannot be read: Is a directory"):
        pinned(tmp_path, "web1", None)


@pytest.mark.program
def test_a_name_that_ssh_keygen_hashed_is_found(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"[web1]:2222 {LINE}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)

    assert "web1" not in file.read_text()
    assert pinned(file, "web1", 2222) == (LINE,)


def test_a_file_with_keys_of_the_host_hides_those_of_the_next(file: Path, tmp_path: Path) -> None:
    pin(file, "web1", None, (LINE,))
    pin(tmp_path / "user", "web1", None, (OTHER,))
    pin(tmp_path / "user", "web2", None, (OTHER,))

    assert known_keys((file, tmp_path / "user"), (("web1", None),)).keys == (LINE,)
    assert known_keys((file, tmp_path / "user"), (("web2", None),)).keys == (OTHER,)


@pytest.mark.parametrize("port", [None, 2222])
def test_a_revoked_key_is_not_accepted_at_any_port(file: Path, port: int | None) -> None:
    pin(file, "web1", port, (LINE, OTHER))
    with file.open("a") as more:
        more.write(f"@revoked web1 {OTHER}\n")

    assert known_keys((file,), (("web1", port),)) == KnownKeys((LINE,), frozenset({OTHER}))


@pytest.mark.parametrize(
    "line",
    [
        b"web1", b"web1 ssh-ed25519", b"web1 ssh-ed25519 !", b"web1 ssh-rsa " + LINE.encode()[12:],
        b"web1 1024 35 1234", b"@unknown web1 " + LINE.encode(), b"|1|x " + LINE.encode(),
        b"|1|AA==|!|x " + LINE.encode(), b"\xff\xfe", b"@revoked",
        "web1 ssh-ed25519 \u00e9".encode(),
    ],
)  # fmt: skip
def test_a_line_that_is_not_understood_is_skipped_and_kept(
    file: Path, line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_bytes(line + b"\n")

    pin(file, "web2", None, (LINE,))

    assert pinned(file, "web1", None) == ()
    assert pinned(file, "web2", None) == (LINE,)
    assert file.read_bytes() == line + b"\n" + f"web2 {LINE}\n".encode()
    assert capsys.readouterr().err.count(f"{file}:1: not a host key") == 1


def test_an_authority_is_warned_of_only_for_its_hosts(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_text(f"@cert-authority *.example.org {LINE}\n")

    assert pinned(file, "web1", None) == ()
    assert capsys.readouterr().err == ""
    assert pinned(file, "www.example.org", None) == ()
    assert "@cert-authority is not supported" in capsys.readouterr().err


_BLOB = b"\0\0\0\x13ssh-mldsa44-ed25519" + bytes(40)
MLDSA = f"ssh-mldsa44-ed25519 {base64.b64encode(_BLOB).decode()}"


def test_keys_of_a_type_that_only_ssh_knows_are_passed_over_and_kept(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(file, "web1", None, (MLDSA, LINE))
    pin(file, "web2", None, (MLDSA,))

    assert pinned(file, "web1", None) == (LINE,)
    assert pinned(file, "web2", None) == ()
    pin(file, "web3", None, (LINE,))
    assert file.read_text().count(MLDSA) == 2
    assert capsys.readouterr().err == ""


def test_a_pattern_of_many_stars_takes_no_time(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"{'*a' * 400}*b {LINE}\n")

    assert pinned(file, "a" * 4000, None) == ()


def test_a_pattern_with_brackets_is_no_range(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"web[1] {LINE}\n")

    assert pinned(file, "web1", None) == ()
    assert pinned(file, "web[1]", None) == (LINE,)
