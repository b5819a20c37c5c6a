"""Two nodes for the verbs that visit every node."""

from pathlib import Path

import pytest

from tests.unit.deploy.access.fleet import Fleet, fleet_in
from tests.unit.deploy.fake_remote import FakeRemote


@pytest.fixture
def fleet(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    remote: FakeRemote,
) -> Fleet:
    """An operator's folder whose instances are on two nodes."""
    return fleet_in(tmp_path, monkeypatch)
