"""Two operators who share a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.receipt.team import Team


@pytest.fixture
def team(tmp_path: Path, remote: FakeRemote, home: Path, program: Callable[[str], str]) -> Team:
    """Two operators, a node without receipts, and no SSH agent."""
    program("ssh-keygen")
    return Team(tmp_path, remote)
