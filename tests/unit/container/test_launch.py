"""The key belongs to the worker that needs it, and nothing else changes its owner."""

import os
from pathlib import Path

import pytest

from container.supervise import launch


def test_a_link_in_the_keys_place_is_not_followed_when_its_owner_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, others = tmp_path / "tls", tmp_path / "others"
    folder.mkdir()
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)
    others.write_text("of another user")
    key = folder / "server.key"
    key.symlink_to(others)
    changed = []
    monkeypatch.setenv("TLS_RUN_DIR", str(folder))
    monkeypatch.setattr(launch, "install_key", lambda files: str(key))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(
        os, "chown", lambda path, uid, gid, *, follow_symlinks: changed.append(follow_symlinks)
    )

    assert launch.renew_key() == str(key)
    assert changed == [False]
