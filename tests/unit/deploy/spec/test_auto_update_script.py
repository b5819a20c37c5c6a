"""Containers that podman updates itself, and that have failed, are started again."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.project import TEMPLATES

pytestmark = pytest.mark.program
QUADLETS = {
    "exporter.container": "[Container]\nImage=registry.example/exporter:1\nAutoUpdate=registry\n",
    "below/labelled.container": (
        '[Container]\nImage=registry.example/other:1\nLabel="io.containers.autoupdate=registry"\n'
        "ServiceName=other\n"
    ),
    "named.container": "[Container]\nImage=its.image\nAutoUpdate=registry\n",
    "below/its.image": "[Image]\nImage=registry.example/its:1\n",
    "runs.container": "[Container]\nImage=registry.example/runs:1\nAutoUpdate = registry\n",
    "shop-www-blue.container": "[Container]\nImage=localhost/shop-www:blue\nPull=never\n",
    "notes.txt": "AutoUpdate=registry\n",
}
SYSTEMCTL = """#!/bin/sh
case $1 in
  show) case $4 in runs.service) echo active ;; *) echo failed ;; esac ;;
  *) echo "$@" ;;
esac
"""


@pytest.mark.parametrize("registry", ["there", "gone"])
def test_those_that_failed_are_started_with_what_their_tag_names_now(
    tmp_path: Path, program: Callable[[str], str], registry: str
) -> None:
    """Without the registry too: they may have failed for a reason that is gone."""
    for name, text in QUADLETS.items():
        (tmp_path / "units" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "units" / name).write_text(text)
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    code = 0 if registry == "there" else 125
    (tmp_path / "podman").write_text(f'#!/bin/sh\necho "$@" >&2\nexit {code}\n')
    for name in ("systemctl", "podman"):
        (tmp_path / name).chmod(0o755)
    text = (TEMPLATES / "node/auto-update.sh").read_text(encoding="utf-8")
    text = text.replace("/etc/containers/systemd", f"{tmp_path}/units")

    done = subprocess.run(
        [program("bash"), "-c", f"PATH={tmp_path}:$PATH\n{text}"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )

    started = [line for line in done.stdout.splitlines() if line.startswith("start ")]
    names = ["exporter", "named", "other"]
    assert sorted(started) == [f"start {name}.service" for name in names]
    assert sorted(done.stderr.splitlines()) == [
        "pull --quiet registry.example/exporter:1",
        "pull --quiet registry.example/its:1",
        "pull --quiet registry.example/other:1",
    ]
    assert done.stdout.count("cannot be pulled") == (0 if registry == "there" else 3)
