"""The node compares a release's project files with its manifest before it starts them."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy.spec.project_files import list_files
from tests.root import ROOT

pytestmark = pytest.mark.program
NAMES = ("a", "#b", "deep/c d", "deep/e\nf", "ü", "program")
FAULTS = {
    "missing": "rm '#b'",
    "other content": "echo other >a",
    "a setuid bit": "chmod 4644 a",
    "writable by all": "chmod 0666 a",
    "executable": "chmod 0755 a",
    "not executable": "chmod 0644 program",
    "one more": "touch more",
    "one more in a new folder": "mkdir x; touch x/y",
    "another link": "ln -sfn 'b x' link",
    "a file for a link": "rm link; touch link",
    "a link for a file": "ln -sf '#b' a",
    "a pipe": "rm a; mkfifo a",
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with project files of odd names, all as the manifest lists them."""
    files = tmp_path / "releases/r1/files"
    (files / "deep").mkdir(parents=True)
    for name in NAMES:
        (files / name).write_text(name)
        (files / name).chmod(0o755 if name == "program" else 0o644)
    (files / "link").symlink_to("a x")
    manifest = json.dumps({"files": list_files(files)})
    (files.parent / "manifest.json").write_text(manifest)
    return files.parent


def check(home: Path) -> subprocess.CompletedProcess[str]:
    lib = (ROOT / "deploy/app/scripts/lib.sh").read_text()
    doors = f'fail() {{ echo "$1"; exit 1; }}; home_of() {{ echo "{home}"; }}\n'
    words = ["bash", "-euo", "pipefail", "-c", f"{doors}{lib}\ncheck_files app r1"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_files_that_are_as_listed_pass(release: Path, tmp_path: Path) -> None:
    said = check(tmp_path)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_a_release_without_files_passes(release: Path, tmp_path: Path) -> None:
    (release / "files").rename(tmp_path / "away")
    (release / "files").mkdir()
    (release / "manifest.json").write_text('{"files": {}}')

    assert check(tmp_path).returncode == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_not_as_listed_are_refused_by_name(
    release: Path, tmp_path: Path, fault: str
) -> None:
    subprocess.run(["bash", "-ec", FAULTS[fault]], cwd=release / "files", check=True)

    said = check(tmp_path)

    assert said.returncode == 1
    assert "release r1 on this node are not those that were listed: 1, such as" in said.stdout


def test_a_manifest_that_cannot_be_read_is_refused(release: Path, tmp_path: Path) -> None:
    (release / "manifest.json").write_text("{")

    assert "cannot be compared" in check(tmp_path).stdout
