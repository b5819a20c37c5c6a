"""The scripts on a node remove exactly the lines that they are given."""

import getpass
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.program
DEPLOY = Path(__file__).parents[4] / "deploy"
ANN, BOB = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name:x<43}" for name in ("Ann", "Bob"))


@pytest.fixture
def drop(program: Callable[[str], str], tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run access-drop in a home folder; return its exit code and what it said."""
    text = f"""set -euo pipefail
        . {DEPLOY}/node/scripts/owners.sh
        label_as() {{ :; }}
        fail() {{ echo "$1"; exit 1; }}
        one_at_a_time() {{ :; }}
        home_folder() {{ echo {tmp_path}; }}
        . {DEPLOY}/access/scripts/access-drop.sh"""

    def run(lines: list[str], keep: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            [program("bash"), "-c", text, "access-drop", getpass.getuser()],
            input=json.dumps({"drop": lines, "keep": keep}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.stderr
        return done.returncode, done.stdout.strip()

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".ssh/authorized_keys.d"
    made.mkdir(parents=True)
    return made


def test_lines_go_from_every_file_and_all_others_stay_byte_for_byte(
    drop: Callable[..., tuple[int, str]], folder: Path
) -> None:
    keys, spec, only = folder.parent / "authorized_keys", folder / "ignition", folder / "a\nb"
    keys.write_bytes(f"# {ANN}\n{ANN} x\n{ANN}\t \n".encode() + b"\xff\0 y\r\n" + BOB.encode())
    spec.write_text(f'{BOB} {ANN}\n  command="x" {ANN}\\\n')
    only.write_text(f"{ANN}\0é\n\n")
    asked = [f"{ANN} x", f"{ANN}\t ", f'  command="x" {ANN}\\', f"{ANN}\0é", "not there"]

    assert drop(asked, [BOB]) == (0, "4")

    assert keys.read_bytes() == f"# {ANN}\n".encode() + b"\xff\0 y\r\n" + BOB.encode()
    assert spec.read_text() == f"{BOB} {ANN}\n"
    assert not only.exists()
    assert keys.stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_and_what_it_leads_to_is_left(
    drop: Callable[..., tuple[int, str]], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text(f"{ANN}\n{BOB}\n")
    (folder / "link").symlink_to(tmp_path / "elsewhere")

    assert drop([ANN], [BOB]) == (0, "1")

    assert (folder / "link").read_text() == f"{BOB}\n"
    assert (tmp_path / "elsewhere").read_text() == f"{ANN}\n{BOB}\n"


def test_lines_go_in_a_folder_that_a_link_leads_to(
    drop: Callable[..., tuple[int, str]], folder: Path, tmp_path: Path
) -> None:
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    (folder / "ann").write_text(f"{ANN}\n{BOB}\n")

    assert drop([ANN], [BOB]) == (0, "1")

    assert (folder / "ann").read_text() == f"{BOB}\n"


@pytest.mark.parametrize("keep", [[], ["x"], [ANN], [f"{BOB} x"]])
def test_nothing_goes_when_no_line_to_keep_would_be_left(
    drop: Callable[..., tuple[int, str]], folder: Path, keep: list[str]
) -> None:
    (folder / "ignition").write_text(f"{ANN}\n{BOB}\n")

    code, said = drop([ANN], keep)

    assert code == 1
    assert "nothing was removed" in said
    assert (folder / "ignition").read_text() == f"{ANN}\n{BOB}\n"
