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


# Stand in for rpm-ostree, whose rollback the test carries out by restarting the node, and have the
# node look at its apps more often than every ten minutes.
STAND_INS = """
cat >/usr/local/bin/rpm-ostree <<'EOF'
#!/bin/bash
. /etc/os-release
case $1 in
  status)
    jq -cn --arg runs "$PRETTY_NAME" --rawfile other /var/lib/other-system '
      {deployments: [{version: $runs, booted: true}, {version: $other}]}' ;;
  rollback) echo rollback >>/var/lib/rollbacks && exec /usr/bin/sleep infinity ;;
esac
EOF
cat >/usr/local/bin/sleep <<'EOF'
#!/bin/bash
[ "$1" != 600 ] || set -- 1
exec /usr/bin/sleep "$@"
EOF
chmod 0755 /usr/local/bin/*
mkdir -p /etc/corefab/notify
"""
# An app that does not start in another system than this one.
PICKY = """
. /etc/os-release
for slot in blue green; do
  mkdir -p /etc/systemd/system/APP-$slot.service.d
  printf '[Service]\\nExecStartPre=/usr/bin/grep -qx VERSION_CODENAME=%s /etc/os-release\\n' \\
    "$VERSION_CODENAME" >/etc/systemd/system/APP-$slot.service.d/picky.conf
done
printf %s "$PRETTY_NAME" >/var/lib/other-system
"""
RECORD = "/var/lib/corefab/os-health.json"
HOLD = "/run/zincati/config.d/90-corefab-hold.toml"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Deploy to a node of the older generation, which decides itself whether an update stays."""
    with booted(tmp_path_factory.mktemp("checked"), f"checked{os.getpid()}") as made:
        if stock.checked_suite() != stock.SUITES[0]:
            made.must("rehearsal-update")
        made.must("deploy", "--first")
        made.ssh(STAND_INS)
        made.must("converge", "--yes", UPDATE_HEALTH_SECONDS="20")
        yield made


def awaited(project: Project, test: str) -> str:
    """Wait until a shell test on the node is true; give the node's record."""
    loop = f"for _ in $(seq 120); do ! {test} || exit 0; /usr/bin/sleep 1; done; exit 1"
    project.ssh(loop, seconds=150)
    return project.ssh(f"cat {RECORD}")


def test_an_update_that_an_app_does_not_outlive_is_rolled_back_once_and_held(
    checked: Project,
) -> None:
    app = f"{checked.settings['PROJECT']}-www"
    before = status(checked)
    awaited(checked, f"jq -e '.healthy == [\"{app}\"]' {RECORD}")
    checked.ssh(PICKY.replace("APP", app))

    checked.must("rehearsal-update")
    awaited(checked, "[ -e /var/lib/rollbacks ]")
    # The power goes while rpm-ostree has not returned.
    checked.must("rehearsal-update", "--rollback")

    record = json.loads(awaited(checked, f"jq -e '.failed[0]' {RECORD}"))
    assert record["version"] == before["os"]
    back = status(checked)
    assert back["os"] == before["os"]
    assert back["os_update"].startswith(f"{before['os']} is back, since ")
    assert checked.ssh(f"cat {HOLD}") == "[updates]\nenabled = false\n"
    told = json.loads(checked.ssh("cat /var/lib/corefab/notify/found/os.json"))
    assert told["title"].startswith("the operating system went back from ")
    assert "os-update" in checked.must("audit")
    checked.reboot()
    awaited(checked, f"[ -e {HOLD} ]")
    assert checked.ssh("cat /var/lib/rollbacks") == "rollback\n"


def test_an_update_that_all_apps_outlive_is_noted_and_ends_the_hold(checked: Project) -> None:
    app = f"{checked.settings['PROJECT']}-www"
    checked.ssh(f"rm -rf /etc/systemd/system/{app}-*.service.d && systemctl daemon-reload")
    awaited(checked, f"jq -e '.healthy == [\"{app}\"]' {RECORD}")
    before = status(checked)

    checked.must("rehearsal-update")

    awaited(checked, f"jq -e '(.trial | not) and .version != \"{before['os']}\"' {RECORD}")
    found = status(checked)
    assert found["os_update"] == f"{found['os']} is healthy"
    awaited(checked, f"[ ! -e {HOLD} ]")
    assert checked.ssh("cat /var/lib/rollbacks 2>/dev/null || true").count("rollback") <= 1


def test_the_generations_have_different_systems() -> None:
    assert len({stock.fingerprint(one) for one in stock.SUITES}) == len(stock.SUITES)
