"""A private key is replaced in steps, and an interruption leaves a complete key."""

from pathlib import Path

import pytest

from deploy.access.identity import Identity, is_locked, new_key, public_key
from deploy.errors import DeployError
from tests.unit.deploy.ssh_server import new_identity


class Cut(BaseException):
    """An interruption, such as a power failure."""


def laid(folder: Path) -> Identity:
    mine = Identity(new_identity(folder / "id"))
    mine.store_new(*new_key("ann@desk", ""))
    return mine


def test_a_swap_replaces_the_key_and_keeps_the_previous_one(tmp_path: Path) -> None:
    mine = laid(tmp_path)
    old, new = public_key(mine.path), public_key(mine.new)

    mine.swap()

    assert public_key(mine.path).blob == new.blob
    assert new.comment == "ann@desk"
    assert public_key(mine.retired).blob == old.blob
    assert old.blob in mine.old_public.read_text()
    assert new.blob in mine.public.read_text()
    assert {file.name for file in tmp_path.iterdir()} == {
        "id", "id.pub", "id.old.pub", "id.retired"
    }  # fmt: skip
    assert mine.path.stat().st_mode & 0o777 == mine.retired.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("at", range(1, 5))
def test_an_interrupted_swap_leaves_a_key_and_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    mine = laid(tmp_path)
    old, new = public_key(mine.path).blob, public_key(mine.new).blob
    count = 0
    rename = Path.replace

    def replace(source: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == at:
            raise Cut
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Cut):
        mine.swap()
    monkeypatch.undo()

    assert public_key(mine.path).blob in {old, new}
    assert not mine.public.exists() or (
        mine.public.read_text().split()[1] == public_key(mine.path).key
    ), "ssh offers what the public file says"
    mine.swap()
    assert public_key(mine.path).blob == new
    assert old in mine.old_public.read_text()
    assert new in mine.public.read_text()
    mine.finish()
    assert not mine.old_public.exists()


def test_the_public_half_comes_from_the_key_and_not_from_a_stale_file(tmp_path: Path) -> None:
    path = new_identity(tmp_path / "id")
    held = public_key(path)
    path.with_suffix(".pub").write_text(
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'Eve':x<43} ann@desk\n"
    )

    assert public_key(path).blob == held.blob
    assert public_key(path).comment == "ann@desk"


def test_a_key_with_a_passphrase_needs_the_file_beside_it(tmp_path: Path) -> None:
    path = new_identity(tmp_path / "id", passphrase="hunter2")
    assert is_locked(path)
    assert public_key(path).blob == path.with_suffix(".pub").read_text().strip()

    path.with_suffix(".pub").unlink()
    with pytest.raises(DeployError, match="has a passphrase") as caught:
        public_key(path)
    assert "ssh-keygen -y" in caught.value.hint


def test_a_new_key_may_have_a_passphrase(tmp_path: Path) -> None:
    private, public = new_key("", "hunter2")
    mine = Identity(tmp_path / "id")
    mine.path.write_bytes(private)

    assert is_locked(mine.path)
    assert public.kind == "ssh-ed25519"


@pytest.mark.parametrize("content", [b"", b"no key\n", b"\xff\xfe"])
def test_a_file_that_is_not_a_private_key_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "id"
    path.write_bytes(content)

    with pytest.raises(DeployError, match=r"id is not a readable private key"):
        public_key(path)
