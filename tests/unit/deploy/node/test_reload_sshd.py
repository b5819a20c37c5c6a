"""A script that has sshd read its configuration again goes on when sshd takes connections again."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deploy.node.script import scripts

pytestmark = pytest.mark.program
PREAMBLE = scripts()["preamble"]
SOCKET = 'LISTEN 0 128 *:22 *:* users:(("sshd",pid={},fd=3)) ino:{} sk:1'
FAKES = {
    "sshd": "",
    "sleep": "",
    "systemctl": 'case $1 in show) echo 7 ;; reload) echo "$*" >>said ;; esac',
    # One line of the file at each question; the last one again and again.
    "ss": "echo asked >>said; head -n 1 sockets; [ $(wc -l <sockets) = 1 ] || sed -i 1d sockets",
}


@pytest.fixture
def reload(tmp_path: Path, program: Callable[[str], str]) -> Callable[[Sequence[str]], list[str]]:
    """Reload sshd, which listens on one socket after another; tell what was done."""
    for name, text in FAKES.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def run(sockets: Sequence[str]) -> list[str]:
        (tmp_path / "sockets").write_text("".join(f"{line}\n" for line in sockets))
        words = [program("bash"), "-c", f". {PREAMBLE}; reload_sshd"]
        path = f"{tmp_path}:{os.environ['PATH']}"
        subprocess.run(words, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
        return (tmp_path / "said").read_text().splitlines()

    return run


def test_it_waits_until_sshd_has_closed_its_socket_and_opened_another(
    reload: Callable[[Sequence[str]], list[str]],
) -> None:
    old, other, new = SOCKET.format(7, 1), SOCKET.format(70, 2), SOCKET.format(7, 3)

    assert reload([old, old, "", other, new]) == [
        *("asked", "reload sshd.service"),
        *["asked"] * 4,
    ]


def test_an_sshd_that_keeps_its_socket_is_not_waited_for_without_end(
    reload: Callable[[Sequence[str]], list[str]],
) -> None:
    assert reload([SOCKET.format(7, 1)]).count("asked") == 101


def test_an_sshd_whose_sockets_are_not_shown_is_not_waited_for(
    reload: Callable[[Sequence[str]], list[str]],
) -> None:
    assert reload([""]) == ["asked", "reload sshd.service", "asked"]
