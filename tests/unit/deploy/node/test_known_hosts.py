"""The project's known_hosts has for each node the keys it may show."""

from pathlib import Path

import pytest

from deploy.node.known_hosts import pin, unpin

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
