"""A slot starts although podman was killed during an earlier start, or with its whole cgroup."""

from collections.abc import Iterator

import pytest

from tests.system.project import Project
from tests.system.visitors import Visits

pytestmark = pytest.mark.node
# Takes the place of netavark; kills podman once, after it noted the addresses of the container.
NETAVARK = """
mkdir -p /run/killer /etc/containers/containers.conf.d
cat >/run/killer/netavark <<'TEXT'
#!/bin/sh
case " $* " in
  *" setup "*) if [ -e /run/killer/armed ]; then rm /run/killer/armed; kill -9 $PPID; exit 1; fi ;;
esac
exec /usr/lib/podman/netavark "$@"
TEXT
chmod +x /run/killer/netavark
cat >/etc/containers/containers.conf.d/killer.conf <<'TEXT'
[engine]
helper_binaries_dir = ["/run/killer", "/usr/lib/podman", "/usr/libexec/podman"]
TEXT
"""


@pytest.fixture
def killer(serving: Project) -> Iterator[Project]:
    serving.ssh(NETAVARK)
    yield serving
    serving.ssh("rm -rf /run/killer /etc/containers/containers.conf.d/killer.conf")


@pytest.mark.slow
def test_podman_killed_while_it_starts_a_slot_fails_no_deploy(
    killer: Project, visits: Visits
) -> None:
    began = killer.ssh("date +%s.%N").strip()
    for greeting in ("killed once", "killed twice"):
        killer.ssh("touch /run/killer/armed")

        killer.must("deploy", ENV_GREETING=greeting)

        assert killer.ssh("ls /run/killer").split() == ["netavark"]
    said = killer.ssh(f"journalctl -q -t corefab -p warning -o cat --since @{began}")
    assert said.count("podman failed, starting it again: it was killed") >= 2
    assert "is already allocated" not in said
    killer.must("deploy")


@pytest.mark.slow
def test_a_slot_whose_control_group_was_killed_serves_again(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    slot = serving.container()
    serving.ssh(f"systemctl kill --kill-whom=all --signal=KILL {slot}.service")

    serving.must("deploy", ENV_GREETING="after a kill")

    assert serving.container() != slot
    serving.must("deploy")
    left = serving.ssh("podman ps --all --format '{{.Names}}'").split()
    assert [one for one in left if one.startswith(app)] == [serving.container()]
