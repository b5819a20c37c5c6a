"""A volume's folder is made and mounted; a link that the app puts there instead is not followed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.project import TEMPLATES

pytestmark = pytest.mark.program


def run(folder: Path, program: Callable[[str], str], **programs: str) -> int:
    """Run volume.sh for the volume `uploads`, with these programs in place of the machine's own."""
    (folder / "bin").mkdir()
    usual = {"chcon": "", "mountpoint": "exit 1", "mount": "pwd >mounted"}
    for name, text in (usual | programs).items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    text = (TEMPLATES / "app/volume.sh").read_text(encoding="utf-8").replace("@APP@", "shop")
    text = text.replace("/var/lib/shop", f"{folder}").replace("/run/corefab", f"{folder}/run")
    words = [program("bash"), "-c", f"PATH={folder}/bin:$PATH\n{text}", "x", "blue", "uploads"]
    return subprocess.run(words, check=False, capture_output=True).returncode


def test_a_volumes_folder_is_made_for_the_owner_of_the_data(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    (tmp_path / "data").mkdir()

    assert run(tmp_path, program) == 0

    made = tmp_path / "data/uploads"
    assert (made / "mounted").read_text() == f"{made}\n"
    assert made.stat().st_mode & 0o777 == 0o750
    assert made.owner() == (tmp_path / "data").owner()


def test_a_folder_that_is_there_keeps_its_mode(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    made = tmp_path / "data/uploads"
    made.mkdir(parents=True, mode=0o700)

    assert run(tmp_path, program) == 0

    assert made.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("between", ["stat", "mkdir"])
def test_a_link_that_the_app_puts_in_its_place_meanwhile_is_not_followed(
    tmp_path: Path, program: Callable[[str], str], between: str
) -> None:
    (tmp_path / "data").mkdir()
    target = tmp_path / "of-the-machine"
    target.mkdir(mode=0o755)
    link = f"ln -sfnT {target} {tmp_path}/data/uploads"
    text = f'{link}\nexec {program(between)} "$@"'

    assert run(tmp_path, program, **{between: text}) != 0

    assert target.stat().st_mode & 0o777 == 0o755
    assert not list(target.iterdir())
