"""Hooks run around a change; one that fails before it stops it."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.workstation.hooks import run_hook, run_hook_or_warn

pytestmark = pytest.mark.program


def hook(folder: Path, text: str, mode: int = 0o755) -> None:
    path = folder / "hooks/before-deploy"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)


def test_a_hook_gets_the_plan_on_stdin_in_the_projects_folder(tmp_path: Path) -> None:
    hook(tmp_path, "#!/bin/sh\ncat >heard\n")

    run_hook(tmp_path, "before-deploy", '{"app": "shop-www"}')
    assert json.loads((tmp_path / "heard").read_text()) == {"app": "shop-www"}


def test_a_missing_hook_is_skipped(tmp_path: Path) -> None:
    run_hook(tmp_path, "before-deploy", "{}")


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("#!/bin/sh\nexit 3\n", 0o755, "hook before-deploy failed \\(exit code 3\\)"),
        ("#!/bin/sh\n", 0o644, "is not executable"),
        ("#!/nowhere/at/all\n", 0o755, "cannot be started"),
    ],
)
def test_a_hook_that_fails_stops_the_change(
    tmp_path: Path, text: str, mode: int, message: str
) -> None:
    hook(tmp_path, text, mode)

    with pytest.raises(DeployError, match=message):
        run_hook(tmp_path, "before-deploy", "{}")


def test_a_hook_need_not_read_its_stdin(tmp_path: Path) -> None:
    hook(tmp_path, "#!/bin/sh\nexit 0\n")

    run_hook(tmp_path, "before-deploy", json.dumps({"files": "x" * 200_000}))


def test_a_failure_of_a_hook_after_the_change_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook(tmp_path, "#!/bin/sh\nexit 3\n")

    run_hook_or_warn(tmp_path, "before-deploy", "{}")
    assert "hook before-deploy failed" in capsys.readouterr().err
