"""Whatever was cut off, the next command cleans it and works."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rehearsal import lifecycle, machine, places, ready, state, stock
from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from tests.system.rehearsal.nodes import (
    OWNER,
    Shell,
    down,
    machine_spec,
    own_name,
    reboot,
    require_nodes,
    up,
)

pytestmark = pytest.mark.node

NAME = own_name("tests-cut-off")
UP = f"""
import sys
from pathlib import Path
from rehearsal import lifecycle

def say(step):
    print(step, flush=True)
    if step.startswith(sys.argv[2]):
        sys.stdin.read()

lifecycle.up("{NAME}", Path(sys.argv[1]), Path(sys.argv[3]), on_step=say)
"""


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """Take this file's node down after each test."""
    require_nodes()
    yield
    down(NAME)


def network_of() -> Network:
    """Read which network this file's node has."""
    record = state.load(places.folder(NAME))
    assert record is not None
    return record.network


def statuses() -> dict[str, str]:
    """Say in which state each node is."""
    return {line.name: line.state for line in lifecycle.status()}


def cut_off(step: str, spec: Path, how: signal.Signals) -> None:
    """Bring a node up in another process, and signal that process at one of its steps."""
    command = [sys.executable, "-c", UP, str(spec), step, str(OWNER)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert any(line.startswith(step) for line in run.stdout)
        run.send_signal(how)
        run.wait(120)


@pytest.mark.parametrize("step", ["provisioning", "booting", "waiting"])
def test_a_run_killed_at_any_step_is_cleaned_by_the_next(
    step: str, spec: Path, ssh_key: Path
) -> None:
    cut_off(step, spec, signal.SIGKILL)
    assert statuses()[NAME] == "broken"

    node = up(NAME, spec, ssh_key)

    assert statuses()[NAME] == "running"
    assert len(machine.boots(network_of())) == 1
    assert node.state == "running"


@pytest.mark.parametrize("step", ["provisioning", "booting", "waiting"])
def test_ctrl_c_takes_the_half_made_node_down(step: str, spec: Path) -> None:
    cut_off(step, spec, signal.SIGINT)

    assert NAME not in statuses()


def test_a_node_whose_supervisor_was_killed_is_stopped_and_goes_down(
    spec: Path, ssh_key: Path
) -> None:
    node = up(NAME, spec, ssh_key)
    network = network_of()
    supervisor = machine.supervisor(places.folder(NAME))
    assert supervisor is not None

    os.kill(supervisor, signal.SIGKILL)

    assert down(NAME)
    assert not network.path.exists()
    assert not node.tree.exists()


def test_a_node_that_powers_itself_off_is_stopped_and_can_be_made_again(
    spec: Path, ssh_key: Path
) -> None:
    first = up(NAME, spec, ssh_key)
    Shell(first, ssh_key).attempt("sudo systemctl poweroff")
    with pytest.raises(RehearsalError, match="its processes ended"):
        ready.wait(places.folder(NAME), network_of(), ready.Login(), other_than=first.boot_id)
    assert statuses()[NAME] == "stopped"
    assert lifecycle.find(NAME) is None

    second = up(NAME, spec, ssh_key)

    assert second.host_keys != first.host_keys


def test_a_process_that_got_a_dead_supervisors_number_is_left_alone(
    spec: Path, ssh_key: Path
) -> None:
    up(NAME, spec, ssh_key)
    folder = places.folder(NAME)
    boot = folder.pidfile.read_text().split()[2]
    with subprocess.Popen(["sleep", "60"]) as stranger:
        folder.pidfile.write_text(f"{stranger.pid} 1 {boot}")

        down(NAME)

        assert stranger.poll() is None
        stranger.kill()


def test_a_spec_that_ignition_refuses_leaves_no_node(tmp_path: Path, ssh_key: Path) -> None:
    both = [{"path": "/etc/probe", "contents": {"source": "data:,a"}}] * 2
    spec = machine_spec(tmp_path, ssh_key, storage={"files": both})

    with pytest.raises(RehearsalError, match="Ignition refused") as raised:
        up(NAME, spec)

    assert "duplicate" in raised.value.hint
    assert NAME not in statuses()


def test_a_spec_newer_than_the_nodes_ignition_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    spec = tmp_path / "new.ign"
    spec.write_text(json.dumps({"ignition": {"version": "3.6.0"}}))

    with pytest.raises(RehearsalError, match=r"3\.6\.0.*up to 3\.3\.0"):
        up(NAME, spec)


def test_a_login_that_is_refused_names_the_user_and_leaves_no_node(
    spec: Path, ssh_key: Path
) -> None:
    folder = places.folder(NAME)
    up(NAME, spec)

    with pytest.raises(RehearsalError, match="no SSH login as nobody"):
        ready.wait(folder, network_of(), ready.Login("nobody", ssh_key), seconds=2.0)


@pytest.mark.slow
def test_a_boot_that_hangs_names_the_unit_it_hangs_on(spec: Path, ssh_key: Path) -> None:
    node = up(NAME, spec, ssh_key)
    unit = b"[Service]\nType=oneshot\nExecStart=sleep inf\n[Install]\nWantedBy=multi-user.target\n"
    shell = Shell(node, ssh_key)
    shell.run("sudo tee /etc/systemd/system/hang.service", unit)
    shell.run("sudo systemctl enable hang.service")

    with pytest.raises(RehearsalError, match=r"still starting hang\.service"):
        reboot(NAME, ssh_key, seconds=10)


def test_a_unit_that_fails_makes_a_degraded_node_that_says_which(
    tmp_path: Path, ssh_key: Path
) -> None:
    text = "[Service]\nType=oneshot\nExecStart=false\n[Install]\nWantedBy=multi-user.target\n"
    units = [{"name": "bad.service", "enabled": True, "contents": text}]
    spec = machine_spec(tmp_path, ssh_key, systemd={"units": units})

    node = up(NAME, spec, ssh_key)

    assert (node.state, node.failed_units) == ("degraded", ("bad.service",))


def test_sshd_on_another_port_is_found(tmp_path: Path, ssh_key: Path) -> None:
    files = [
        {"path": "/etc/ssh/sshd_config.d/10-port.conf", "contents": {"source": "data:,Port%202222"}}
    ]
    spec = machine_spec(tmp_path, ssh_key, storage={"files": files})

    assert up(NAME, spec, ssh_key).port == 2222


@pytest.mark.slow
def test_nodes_come_up_side_by_side_and_all_go_down_together(
    tmp_path: Path, spec: Path, ssh_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = places.cache() / f"base-{stock.fingerprint()}"
    up(NAME, spec)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (places.cache() / base.name).symlink_to(base)
    names = ("left", "middle", "right")

    try:
        with ThreadPoolExecutor(len(names)) as pool:
            nodes = list(pool.map(lambda name: up(name, spec, ssh_key), names))
        assert len({node.address for node in nodes}) == len(names)
    finally:
        gone = lifecycle.down_all(OWNER)
    assert tuple(node.name for node in gone) == names
    assert lifecycle.status() == ()
    monkeypatch.undo()
    assert statuses()[NAME] == "running"


@pytest.mark.slow
def test_no_two_nodes_share_a_cgroup(spec: Path, ssh_key: Path, shell: Shell) -> None:
    up(NAME, spec, ssh_key)
    other = state.load(places.folder(shell.node.name))
    assert other is not None

    groups = [
        Path(f"/proc/{machine.leader(network)}/cgroup").read_text().splitlines()[-1]
        for network in (network_of(), other.network)
    ]

    assert groups[0].startswith("0::/")
    assert groups[0] != groups[1]


def test_the_workstation_keeps_no_mounts_of_a_node(shell: Shell) -> None:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")

    assert "corefab/root" not in mounts
    assert str(shell.node.tree) not in mounts


def test_bringing_up_one_name_twice_at_once_gives_one_node(spec: Path, ssh_key: Path) -> None:
    errors: list[BaseException] = []

    def bring_up() -> None:
        try:
            up(NAME, spec, ssh_key)
        except RehearsalError as error:
            errors.append(error)

    threads = [threading.Thread(target=bring_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(machine.boots(network_of())) == 1
