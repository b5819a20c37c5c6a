"""`fab install` writes a disk only when every check passes, and waits for the installed system."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certs.ssh import new_ssh_key
from deploy.errors import DeployError
from deploy.machine.install import first_boot, install, live_system
from deploy.machine.install.plan.options import Installation
from deploy.node.command import Command
from deploy.node.known_hosts import pinned
from deploy.node.target import Target
from deploy.project import Project
from tests.clock import Clock
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

LIVE_KEY = new_ssh_key().public
DISK = {"name": "sda", "path": "/dev/sda", "type": "disk", "size": 20_000_000_000}
PARTITION = {"path": "/dev/sda4", "type": "part", "fstype": "xfs", "partlabel": "data"}
ALL = ["live-facts", "take-config", "install-disk", "read-back", "restart", "boot-id"]
SDA = Installation("/dev/sda")


def facts(**changes: object) -> str:
    """Make the answer of a live system with one empty disk."""
    found = {
        "boot_id": "live",
        "system": "Fedora CoreOS",
        "is_installing": False,
        "installer": "0.27.0",
        "ignition": "2.26.0",
        "memory_free": 1 << 30,
        "keyfiles": [],
        "fixed_addresses": [],
        "disks": {"blockdevices": [DISK]},
        "device": "/dev/sda",
    }
    return json.dumps(found | changes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a machine spec."""
    made = Project(tmp_path, settings(NODE_ADDRESS="192.0.2.7"))
    made.build.mkdir()
    made.ignition.write_text(json.dumps({"ignition": {"version": "3.3.0"}}))
    return made


@pytest.fixture(autouse=True)
def live(
    remote: FakeRemote, project: Project, home: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """A live system that the fake node stands for, and that boots what was installed."""

    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[FakeRemote]:
        yield remote

    def live_key(*_: object) -> tuple[str, str]:
        return LIVE_KEY, "SHA256:live"

    def installed_key(target: Target) -> tuple[str, str]:
        return pinned(target.known_hosts, target.host, target.port)[0], ""

    for module in (install, first_boot):
        monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(live_system, "read_host_key", live_key)
    monkeypatch.setattr(first_boot, "read_host_key", installed_key)
    remote.answers |= {
        "live-facts": facts(),
        "boot-id": "installed\n",
        "read-back": written(remote),
    }


def written(remote: FakeRemote, **changes: object) -> Callable[[Command], str]:
    """Read back from the disk what was sent."""

    def answer(_: Command) -> str:
        sha256 = hashlib.sha256(remote.the("take-config").stdin).hexdigest()
        found = {"options": "quiet", "sha256": sha256, "mode": "600", "first_boot": True}
        return json.dumps(found | changes)

    return answer


def run(project: Project, wanted: Installation = SDA, *, dry_run: bool = False) -> None:
    install.install(project, "192.0.2.7", wanted, fingerprint="SHA256:live", dry_run=dry_run)


def test_a_machine_is_installed_and_its_new_host_key_pinned(
    project: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    run(project)

    assert remote.scripts == ALL
    config = json.loads(remote.the("take-config").stdin)
    assert [one["path"] for one in config["storage"]["files"]] == [
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
    ]
    assert "coreos-installer" in remote.the("install-disk").arguments
    assert pinned(project.known_hosts, "192.0.2.7", 22) != (LIVE_KEY,)
    assert "next: fab deploy --first" in capsys.readouterr().out


def test_a_dry_run_prints_the_command_and_sends_nothing(
    project: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    run(project, dry_run=True)

    assert remote.scripts == ["live-facts"]
    said = capsys.readouterr().out
    assert "coreos-installer install /dev/sda --ignition-file=" in said
    assert "dry run: every check passed, nothing was written" in said


def test_every_reason_not_to_install_is_listed_and_nothing_sent(
    project: Project, remote: FakeRemote
) -> None:
    disks = {"blockdevices": [DISK | {"children": [PARTITION]}]}
    remote.answers["live-facts"] = facts(disks=disks, is_installing=True)

    with pytest.raises(DeployError, match="nothing was written, for 2 reasons") as refused:
        run(project)

    assert "an installation is running on this machine" in refused.value.message
    assert "--wipe /dev/sda" in refused.value.hint
    assert remote.scripts == ["live-facts"]


def test_without_a_terminal_the_disk_must_be_given(project: Project, remote: FakeRemote) -> None:
    remote.answers["live-facts"] = facts(device="")

    with pytest.raises(DeployError, match="no --device is given") as refused:
        run(project, Installation())

    assert "/dev/sda" in refused.value.hint


def test_the_data_partition_of_the_settings_is_kept(project: Project, remote: FakeRemote) -> None:
    disks = {"blockdevices": [DISK | {"children": [PARTITION]}]}
    remote.answers["live-facts"] = facts(disks=disks)
    there = project.settings.model_copy(update={"data_partition": "data"})

    run(Project(project.folder, there), Installation("/dev/sda", wipe="/dev/sda"))

    assert "--save-partlabel=data" in remote.the("install-disk").arguments


@pytest.mark.parametrize("failing", ["take-config", "install-disk", "read-back"])
def test_a_failure_leaves_the_machine_running_and_its_key_unpinned(
    project: Project, remote: FakeRemote, failing: str
) -> None:
    remote.answers[failing] = refusal("input/output error")

    with pytest.raises(DeployError, match="input/output error"):
        run(project)

    assert remote.scripts[-1] == failing
    assert not pinned(project.known_hosts, "192.0.2.7", 22)


def test_a_disk_that_was_written_wrongly_is_not_booted(
    project: Project, remote: FakeRemote
) -> None:
    remote.answers["read-back"] = written(remote, first_boot=False)

    with pytest.raises(DeployError, match="was not written as requested") as failed:
        run(project)

    assert "--wipe /dev/sda" in failed.value.hint
    assert not remote.all_of("restart")


def test_a_machine_that_runs_no_live_system_is_quoted(project: Project, remote: FakeRemote) -> None:
    remote.answers["live-facts"] = refusal("jq: command not found")

    with pytest.raises(DeployError, match="jq: command not found") as refused:
        run(project)

    assert "boot the machine from Fedora CoreOS's live medium" in refused.value.hint


def test_rubbish_from_the_live_system_is_refused(project: Project, remote: FakeRemote) -> None:
    remote.answers["live-facts"] = facts(disks={"blockdevices": [{"type": "disk", "size": 5}]})

    with pytest.raises(DeployError, match="the facts of the live system"):
        run(project)


def test_without_a_machine_spec_nothing_is_reached(project: Project, remote: FakeRemote) -> None:
    project.ignition.unlink()

    with pytest.raises(DeployError, match="does not exist") as refused:
        run(project)

    assert "fab prepare" in refused.value.hint
    assert not remote.commands
