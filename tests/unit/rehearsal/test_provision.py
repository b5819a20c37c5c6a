"""What outlives a rehearsal node."""

import json
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.provision import kept_lines


def spec(folder: Path, *filesystems: dict[str, str]) -> Path:
    path = folder / "shop.ign"
    storage = {"filesystems": filesystems} if filesystems else {}
    path.write_text(json.dumps({"ignition": {"version": "3.3.0"}, "storage": storage}))
    return path


def test_each_file_system_is_a_folder_of_its_name(tmp_path: Path) -> None:
    data = {"device": "/dev/disk/by-partlabel/kept", "label": "kept", "path": "/var/lib/a/data"}
    other = {"device": "/dev/disk/by-id/other", "path": "/var/b"}

    lines = kept_lines(spec(tmp_path, data, other), tmp_path / "outside")

    outside = tmp_path / "outside"
    assert lines == f"{outside}/kept\t/var/lib/a/data\n{outside}/other\t/var/b\n"


def test_a_spec_without_a_file_system_has_nothing_to_keep(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="no file system") as caught:
        kept_lines(spec(tmp_path), tmp_path)

    assert "DATA_PARTITION" in caught.value.hint
