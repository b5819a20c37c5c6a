"""An update of the operating system, and its rollback, leave an app serving and deployable."""

import json
import os
from collections.abc import Iterator

import pytest

from rehearsal import stock
from tests.system.conftest import NAME, authority, booted
from tests.system.page import get
from tests.system.project import Project

pytestmark = [pytest.mark.node, pytest.mark.slow]

DRIFT = 2  # the exit code of `fab drift` that found differences
# What must be as before: timers, the firewall, and credentials that open.
PROMISES = """
systemctl is-active corefab-firewall.service
nft list set inet corefab tcp_ports | grep -o 443
ls /run/APP-*/secrets
systemctl list-timers --all --no-legend --plain | awk '{print $(NF-1)}' | grep -c corefab || true
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Deploy to a node of this module, whose system is exchanged."""
    with booted(tmp_path_factory.mktemp("update"), f"update{os.getpid()}") as made:
        made.must("deploy", "--first")
        yield made


def status(project: Project) -> dict[str, str]:
    found: dict[str, str] = json.loads(project.must("status", "--json"))
    answer, _ = get(project.node.address, 443, NAME, authority(project))
    assert answer == 200
    assert found["health"] == "healthy"
    return found


def promises(project: Project) -> list[str]:
    app = project.settings["PROJECT"] + "-www"
    return project.ssh(PROMISES.replace("APP", app)).split()


def test_an_app_outlives_an_update_of_the_system_and_its_rollback(deployed: Project) -> None:
    before, kept = status(deployed), promises(deployed)

    deployed.must("rehearsal-update")

    updated = status(deployed)
    assert updated["os"] != before["os"]
    assert updated["release"] == before["release"]
    assert promises(deployed) == kept
    assert "no drift" in deployed.must("drift")
    assert "nothing to do" in deployed.must("deploy")
    deployed.must("deploy", MEMORY_LIMIT="400M")
    served = status(deployed)["release"]
    assert served != before["release"]

    # The rollback brings back /etc as it was before that deploy, and with it the older units.
    deployed.must("rehearsal-update", "--rollback")

    back = status(deployed)
    assert back["os"] == before["os"]
    assert back["release"] == served
    assert promises(deployed) == kept
    drift = deployed.fab("drift", MEMORY_LIMIT="400M")
    assert drift.code == DRIFT
    assert drift.out.count("fab deploy") == len(("blue", "green"))
    deployed.must("deploy", MEMORY_LIMIT="400M")
    assert status(deployed)["release"] != served
    assert "no drift" in deployed.must("drift", MEMORY_LIMIT="400M")


def test_the_generations_have_different_systems() -> None:
    assert len({stock.fingerprint(one) for one in stock.SUITES}) == len(stock.SUITES)
