"""The processes of a virtual machine are started, recognised and stopped."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.vm.qemu import is_alive, make_disk, stop

SLEEP = "import sys, time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a machine."""
    folder = tmp_path / "vm"
    folder.mkdir()
    return folder


def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", SLEEP, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def ours(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the machine's folder in its command line, as QEMU has."""
    yield from running(str(home / "disk.qcow2"))


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with the machine."""
    yield from running()


@pytest.mark.program
def test_a_running_machine_is_alive_until_it_is_stopped(
    home: Path, ours: subprocess.Popen[bytes]
) -> None:
    (home / "qemu.pid").write_text(f"{ours.pid}\n")
    assert is_alive(home)

    stop(home)

    assert ours.wait(60) != 0
    assert not is_alive(home)


@pytest.mark.program
def test_a_process_that_got_the_id_later_is_not_touched(
    home: Path, other: subprocess.Popen[bytes]
) -> None:
    (home / "qemu.pid").write_text(f"{other.pid}\n")

    stop(home)

    assert not is_alive(home)
    assert other.poll() is None


@pytest.mark.parametrize("text", ["", "rubbish"])
def test_without_a_readable_id_no_machine_is_alive(home: Path, text: str) -> None:
    (home / "qemu.pid").write_text(text)

    stop(home)

    assert not is_alive(home)


@pytest.mark.program
def test_a_disk_is_backed_by_the_image_in_its_own_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/qemu-img"
    program.parent.mkdir()
    log = tmp_path / "log"
    program.write_text(f'#!/bin/sh\necho "$@" >>{log}\necho \'{{"format": "raw"}}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    make_disk(tmp_path / "fcos.img", tmp_path / "disk.qcow2", "20G")

    made = log.read_text().splitlines()[1]
    assert "create -q -f qcow2 -F raw" in made
    assert made.endswith(f"-b {tmp_path}/fcos.img {tmp_path}/disk.qcow2 20G")
