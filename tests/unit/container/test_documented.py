from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from container.supervise.command_line import parse
from container.supervise.specification import KEYS, shortest_watchdog
from tests.root import ROOT
from tests.unit.container.process import python

DOCUMENT = (ROOT / "docs" / "supervision.md").read_text(encoding="utf-8")


def block(start: str) -> str:
    """Give the indented block that begins with this line."""
    lines = DOCUMENT[DOCUMENT.index(f"    {start}") :].splitlines()
    inside = []
    for line in lines:
        if line and not line.startswith("    "):
            break
        inside.append(line)
    return textwrap.dedent("\n".join(inside))


def test_every_key_of_a_worker_is_documented_and_no_other() -> None:
    table = DOCUMENT[DOCUMENT.index("| key | default |") :].split("\n\n")[0]

    cells = [row.split("|")[1] for row in table.splitlines()[2:]]

    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(KEYS)


def test_the_documented_file_is_understood(tmp_path: Path) -> None:
    config = tmp_path / "workers.toml"
    text = block("# workers.toml")
    config.write_text(text.replace('user = "mail"', 'user = "root"'))

    wanted = parse(["--sd-notify", "--config", str(config)])

    assert [one["name"] for one in wanted.workers] == ["web", "mail"]


def test_the_sample_s_own_file_is_understood_and_suits_its_unit() -> None:
    config = ROOT / "container" / "sample" / "workers.toml"

    wanted = parse(["--sd-notify", "--config", str(config)])

    assert [one["name"] for one in wanted.workers] == ["web", "jobs"]
    assert max(shortest_watchdog(one) for one in wanted.workers) < 60


def test_the_shortest_watchdog_of_the_usual_values_is_as_documented() -> None:
    (usual,) = parse(["--", "x"]).workers

    assert f"= {shortest_watchdog(usual):g} s)" in DOCUMENT


@pytest.mark.program
def test_the_documented_shell_worker_is_healthy(tmp_path: Path) -> None:
    line = block("while work_once").strip().replace("work_once", "true").replace("5", "0.1")
    script = tmp_path / "worker.sh"
    script.write_text(f"(sleep 1.5; kill -TERM $$) &\n{line}\n")

    done = subprocess.run(
        python("-m", "container.supervise", "--watchdog", "--set=interval=0.3",
               "--set=restart=never", "--", "sh", str(script)),
        cwd=ROOT, env={**os.environ, "SUPERVISE_SOCKET": ""}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert "main: healthy after" in done.stderr
    assert "hung" not in done.stderr
    assert done.returncode == 128 + 15


@pytest.mark.program
def test_what_stays_in_memory_imports_nothing_large() -> None:
    program = "import sys, container.supervise.core.loop; print(*sys.modules)"

    done = subprocess.run(
        (*python("-S", "-c"), program), cwd=ROOT, capture_output=True, text=True, check=True
    )

    large = {"argparse", "contextlib", "dataclasses", "json", "pathlib", "re", "socket", "ssl",
             "subprocess", "threading", "typing"}  # fmt: skip
    assert large.isdisjoint(done.stdout.split())
