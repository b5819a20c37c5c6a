"""The updater gives a release the credentials that came for it, by the functions of its script."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.node.script import script_text

pytestmark = pytest.mark.program


def test_credentials_that_came_are_given_to_a_release_and_then_forgotten(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    found = re.findall(
        r"^\w+_credentials\(\) \{(?:.*\}$|\n(?:.*\n)*?^\}$)", script_text("pull"), re.MULTILINE
    )
    came, old = tmp_path / "credentials", tmp_path / "releases/old/credentials"
    new = tmp_path / "releases/new/credentials"
    for folder in (came, old, new):
        folder.mkdir(parents=True)
    for name in ("one", "one.cms", "two.new"):
        (came / name).write_text(f"sealed {name}")
    (old / "one").write_text("before")
    (new / "one").hardlink_to(old / "one")
    (tmp_path / "settings.json").write_text(json.dumps({"credentials": ["one", "two"]}))
    script = (
        "kept=. home=. here=.; missing_credentials; give_credentials new; "
        "cat releases/new/credentials/one; drop_credentials old; ls credentials; "
        "drop_credentials new; ls credentials"
    )

    done = subprocess.run(
        [program("bash"), "-c", "\n".join(("set -euo pipefail", *found, script))],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    came_and_kept = "one\none.cms\ntwo.new\n"
    assert done.stdout == f"two\nsealed one{came_and_kept}one.cms\ntwo.new\n"
    assert (old / "one").read_text() == "before"
    assert (new / "one").stat().st_mode & 0o777 == 0o600
