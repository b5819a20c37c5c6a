"""Lines of a slot's journal that podman itself wrote, not the app or another program."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.node.script import scripts

pytestmark = pytest.mark.program
PREAMBLE = scripts()["preamble"]
FAKE = 'journalctl() { if [ "$1" != --sync ]; then cat journal; fi; }'
JOURNAL = (
    {"_COMM": "podman", "MESSAGE": "Error: unable to find network"},
    # journald read it after the process had ended.
    {"MESSAGE": "Error: adding interface"},
    # The name that systemd gives a process before it is podman.
    {"_COMM": "(podman)", "MESSAGE": "Error: no room"},
    {"_COMM": "chcon", "MESSAGE": "Error: no label"},
    {"_COMM": "podman", "MESSAGE": [69, 114, 255]},
    {"_COMM": "podman", "MESSAGE": None},
)


def test_a_line_counts_also_without_the_name_of_its_process(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    (tmp_path / "journal").write_text("\n".join(map(json.dumps, JOURNAL)))
    words = f". {PREAMBLE}; {FAKE}; podman_said x.service 0"
    done = subprocess.run(
        [program("bash"), "-c", words], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "Error: unable to find network\nError: adding interface\nError: no room\n"
