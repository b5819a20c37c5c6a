"""What rehearsal refuses before it touches anything, and what it says then."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal import lifecycle, places, programs, provision, state
from rehearsal.errors import RehearsalError


@pytest.mark.parametrize("name", ["", "-a", "a-", "Www", "a.b", "../x", "a" * 33, "ä"])
def test_a_name_that_could_be_a_path_or_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(RehearsalError, match="node name"):
        places.folder(name)


def test_a_missing_program_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    assert {"mmdebstrap", "systemd-container", "iproute2"} <= set(programs.missing())


@pytest.mark.parametrize("change", [lifecycle.down, lifecycle.reboot])
def test_root_and_missing_packages_are_asked_for_in_one_message(
    change: Callable[[str, Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(RehearsalError, match="need root") as raised:
        change("www", tmp_path)

    assert "systemd-container" in raised.value.message
    assert "sudo" in raised.value.hint
    assert "apt-get install" in raised.value.hint


def test_a_node_is_not_begun_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(RehearsalError, match="need root"):
        lifecycle.up("www", tmp_path / "absent.ign", tmp_path)


def test_a_cache_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(RehearsalError, match="belongs to another user") as raised:
        lifecycle.status()

    assert "sudo" in raised.value.hint


def test_a_disk_that_is_nearly_full_is_refused_with_what_is_free(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="MiB are free") as raised:
        places.require_space(tmp_path, 1 << 60)

    assert "XDG_CACHE_HOME" in raised.value.hint


def test_a_cache_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))

    with pytest.raises(RehearsalError, match="cannot be made"):
        places.cache()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"ignition": 3}', '{"ignition": {}}'])
def test_a_file_that_is_no_ignition_config_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "spec.ign"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(RehearsalError, match="not an Ignition config"):
        provision.config(path)


def test_a_spec_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match=r"absent\.ign: cannot be read") as raised:
        provision.config(tmp_path / "absent.ign")

    assert "fab prepare" in raised.value.hint


def test_the_users_spec_comes_after_the_stock_nodes_own(tmp_path: Path) -> None:
    path = tmp_path / "spec.ign"
    path.write_text(json.dumps({"ignition": {"version": "3.3.0"}}), encoding="utf-8")

    merged = json.loads(provision.config(path))["ignition"]["config"]["merge"]

    assert len(merged) == 2
    assert merged[0] != merged[1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"slot": 1}', '{"other": 1}'])
def test_a_record_that_was_cut_short_counts_as_none(tmp_path: Path, text: str) -> None:
    folder = places.Folder(tmp_path)
    folder.record.write_text(text, encoding="utf-8")

    assert state.load(folder) is None


def test_a_private_file_is_private_even_where_an_open_one_was(tmp_path: Path) -> None:
    path = tmp_path / "config.ign"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)

    state.write_private(path, b"new")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"new"
