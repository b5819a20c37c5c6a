"""`fab init` makes a folder that works apart from the checkout, and overwrites nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dotenv import dotenv_values
from invoke.loader import FilesystemLoader

import fabfile
from deploy.console import prompt
from deploy.errors import DeployError
from deploy.settings.load import read_settings
from deploy.settings.model import KEYS
from deploy.spec.project_files import list_files
from deploy.workstation.init import init
from tests.root import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an operator's folder."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    init(tmp_path / "shop", project="books")
    return tmp_path / "shop"


def test_the_settings_are_the_examples_but_for_what_only_the_sample_app_needs(folder: Path) -> None:
    example = dotenv_values(ROOT / ".env.example", interpolate=False)
    made = dotenv_values(folder / ".env", interpolate=False)

    usual = {"HEALTH_PATH": "/", "NOTIFY": "false", "WATCHDOG_SECONDS": "0"}
    usual |= {"RELOAD_SIGNAL": "", "SMTP_HOST": "", "PROJECT_FILES": "files"}
    del example["ENV_GREETING"]
    assert made == example | {"PROJECT": "books"} | usual
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


def test_the_settings_are_complete_and_the_project_files_are_there(folder: Path) -> None:
    settings = read_settings(folder)

    assert settings.app == "books-www"
    assert settings.project_files
    assert list(list_files(folder / settings.project_files)) == ["index.html"]


def test_overlays_hooks_and_certificates_have_a_place(folder: Path) -> None:
    assert [(folder / name).is_dir() for name in ("butane/overlays", "hooks", "certs")] == [
        True
    ] * 3


@pytest.mark.program
@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        (".env", True),
        (".env.staging", True),
        ("certs/material/books-www/server.key.enc", True),
        ("build/books-www.ign", True),
        ("state/specs/x.ign", True),
        ("certs/known_hosts", False),
        ("certs/access/ann.pub", False),
        ("butane/overlays/motd.bu", False),
        ("fabfile.py", False),
    ],
)
def test_git_never_takes_a_secret_of_it(
    path: str, folder: Path, program: Callable[[str], str], *, ignored: bool
) -> None:
    git = (program("git"), "-C", str(folder))
    subprocess.run([*git, "init", "-q", str(folder.parent)], check=True)

    done = subprocess.run([*git, "check-ignore", "--quiet", path], check=False)

    assert (done.returncode == 0) == ignored


def test_its_fabfile_has_every_command_for_this_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "fabfile")

    module, _ = FilesystemLoader(start=str(folder)).load("fabfile")

    assert module.__file__ == str(folder / "fabfile.py")
    assert module.ns.task_names == fabfile.ns.task_names
    assert module.ns.configuration()["folder"] == folder


@pytest.mark.program
def test_commands_work_there_and_below_and_read_its_settings(folder: Path) -> None:
    for here in (folder, folder / "hooks"):
        done = subprocess.run(
            [sys.executable, "-m", "fabric", "check", "--json"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.program
def test_a_checkout_that_has_moved_is_named_with_what_to_edit(folder: Path) -> None:
    made = folder / "fabfile.py"
    made.write_text(made.read_text().replace(str(ROOT), "/gone"))

    done = subprocess.run(
        [sys.executable, "-m", "fabric", "--list"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"/gone is no checkout of corefab: set COREFAB in {made}\n"


@pytest.mark.parametrize("name", [".env", ".gitignore", "fabfile.py", "files/index.html", "certs"])
def test_a_file_that_is_there_is_named_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")

    with pytest.raises(DeployError, match=f"already there: {tmp_path / name}; nothing was"):
        init(tmp_path, project="books")

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(name).name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_dangling_link_counts_as_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("/nowhere/settings")

    with pytest.raises(DeployError, match="already there"):
        init(tmp_path, project="books")


def test_it_can_be_made_in_a_folder_that_has_other_files(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    (tmp_path / "certs").mkdir()

    init(tmp_path, project="books")

    assert os.access(tmp_path / "fabfile.py", os.R_OK)


def test_a_project_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match='PROJECT is "My Shop"; allowed: a lower-case letter'):
        init(tmp_path / "shop", project="My Shop")

    assert not (tmp_path / "shop").exists()


def test_the_project_is_asked_for_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "books"

    monkeypatch.setattr(prompt, "has_terminal", lambda: True)
    monkeypatch.setattr(prompt, "ask", ask)

    init(tmp_path, project="")

    assert questions == ["PROJECT (a lower-case letter, then letters, digits and '-', 23 at most)"]
    assert dotenv_values(tmp_path / ".env")["PROJECT"] == "books"


def test_without_a_terminal_the_project_has_to_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "has_terminal", lambda: False)

    with pytest.raises(DeployError, match="no PROJECT is given"):
        init(tmp_path, project="")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")

    with pytest.raises(DeployError, match="shop is not a folder"):
        init(tmp_path / "shop", project="books")


def test_the_next_step_can_be_copied_into_a_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(tmp_path / "my shop", project="books")

    assert f"cd '{tmp_path}/my shop'," in capsys.readouterr().out
