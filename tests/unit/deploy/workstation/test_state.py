"""Files in `state/` are readable by their owner only."""

from pathlib import Path

from deploy.node.release import Manifest
from deploy.workstation.state import load_spec, save_manifest, save_spec
from tests.unit.deploy.examples import manifest

MARK = "ab" * 32


def test_a_saved_manifest_has_mode_0600(tmp_path: Path) -> None:
    path = save_manifest(tmp_path, manifest().app, manifest().release, manifest().model_dump_json())

    assert path == tmp_path / "state/releases/shop-www/20300615-120000-ab12.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert Manifest.model_validate_json(path.read_text()) == manifest()


def test_a_machine_spec_is_loaded_by_its_mark(tmp_path: Path) -> None:
    path = save_spec(tmp_path, MARK, "{}")

    assert path.stat().st_mode & 0o777 == 0o600
    assert load_spec(tmp_path, MARK) == "{}"
    assert load_spec(tmp_path, "cd" * 32) is None


def test_a_mark_that_is_a_path_loads_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret.ign").write_text("{}")

    assert load_spec(tmp_path, "../../secret") is None
