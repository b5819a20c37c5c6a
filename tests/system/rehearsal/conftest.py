"""One node for the whole run of each test process, and the means to make more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.rehearsal.nodes import (
    Shell,
    down,
    keypair,
    machine_spec,
    own_name,
    require_nodes,
    up,
)


@pytest.fixture(scope="session")
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a throwaway key that the nodes accept."""
    require_nodes()
    return keypair(tmp_path_factory.mktemp("ssh"))


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory, ssh_key: Path) -> Path:
    """Write the machine spec of the session's node."""
    return machine_spec(tmp_path_factory.mktemp("spec"), ssh_key)


@pytest.fixture(scope="session")
def shell(spec: Path, ssh_key: Path) -> Iterator[Shell]:
    """Bring up the session's node and log in."""
    name = own_name("tests-rehearsal")
    node = up(name, spec, ssh_key)
    yield Shell(node, ssh_key)
    down(name)
