"""What the tests of `container` share: folders in memory, keys, and programs that end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import ports
from tests.unit.container.keys import issue
from tests.unit.container.process import Program
from tests.unit.container.supervision import Supervision


def require(program: str) -> None:
    """Skip for want of a program; in CI its absence is a failure."""
    if shutil.which(program):
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on the tmpfs that Linux keeps for shared memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="corefab-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its encrypted key and the password."""
    require("openssl")
    folder = tmp_path_factory.mktemp("tls")
    issue(folder)
    return folder


@pytest.fixture
def tls(issued: Path, tmp_path: Path) -> Path:
    """A copy of `issued` that a test may change."""
    return Path(shutil.copytree(issued, tmp_path / "tls"))


@pytest.fixture
def free_port() -> int:
    """A TCP port that nothing listens on just now."""
    return ports.free_port()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start programs that are ended with the test."""
    started: list[Program] = []

    def start_one(*argv: str, **options: object) -> Program:
        started.append(Program(*argv, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start_one
    for program in reversed(started):
        program.close()


@pytest.fixture
def supervision(start: Callable[..., Program], memory: Path) -> Supervision:
    """A supervisor that has yet to begin."""
    return Supervision(start, memory)
