"""A node nobody has touched since its first boot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.rehearsal.nodes import Shell, down, own_name, up

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def fresh(spec: Path, ssh_key: Path) -> Iterator[Shell]:
    """Bring up a node for looking at only."""
    yield Shell(up(own_name("tests-fresh"), spec, ssh_key), ssh_key)
    down(own_name("tests-fresh"))


def test_a_fresh_node_enables_only_what_it_was_asked_to(fresh: Shell) -> None:
    enabled = fresh.run("systemctl list-unit-files --state=enabled --no-legend | awk '{print $1}'")

    assert set(enabled.split()) == {
        *("hello.service", "reboot.target", "rehearsal-kernel.service", "remote-fs.target"),
        *("ssh.service", "sshd-keygen.service"),
    }
    assert fresh.run("systemctl list-timers --no-legend | awk '{print $(NF-1)}'").split() == [
        "systemd-tmpfiles-clean.timer"
    ]


def test_nothing_complains_on_an_idle_node(fresh: Shell) -> None:
    words = "journalctl -q -b -p warning -o cat _PID=1 + SYSLOG_IDENTIFIER=systemd-tmpfiles"

    assert fresh.run(words) == ""
