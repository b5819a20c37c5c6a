"""`fab vm` starts a machine with its own host key, and waits until a login succeeds."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.install.plan.ignition import HOST_KEY
from deploy.machine.vm import vm
from deploy.machine.vm.plan.virtual_machine import VmOptions
from deploy.node.known_hosts import pinned
from deploy.project import Project
from tests.clock import Clock
from tests.unit.deploy.examples import settings


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a machine spec and an image."""
    made = Project(tmp_path, settings())
    made.build.mkdir()
    made.ignition.write_text(json.dumps({"ignition": {"version": "3.3.0"}}))
    (tmp_path / "fcos.qcow2").write_text("image")
    return made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A workstation with every program; what is started there, in order."""
    done: list[str] = []

    def which(name: str) -> str:
        return f"/usr/bin/{name}"

    def make_disk(image: Path, disk: Path, size: str) -> None:
        done.append(f"disk {image.name} {disk.name} {size}")

    def start(command: tuple[str, ...], _: Path, *, has_tpm: bool) -> None:
        assert has_tpm
        done.append(f"start {command[command.index('-m') + 1]}")

    def is_taken(_: int) -> bool:
        return False

    def is_alive(_: Path) -> bool:
        return "start 2048" in done

    def log_in(*_: object) -> str:
        done.append("log in")
        return "boot"

    monkeypatch.setattr("deploy.machine.vm.vm.shutil.which", which)
    for name, value in {
        "make_disk": make_disk, "start": start, "is_alive": is_alive, "_is_taken": is_taken,
        "boot_id": log_in, "time": Clock(),
    }.items():  # fmt: skip
        monkeypatch.setattr(vm, name, value)
    return done


def options(project: Project, **changes: object) -> VmOptions:
    return VmOptions(image=str(project.folder / "fcos.qcow2"), **changes)  # type: ignore[arg-type]


def test_a_machine_is_started_with_a_host_key_that_is_pinned(
    project: Project, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    vm.vm_up(project, options(project))

    assert started == ["disk fcos.qcow2 disk.qcow2 20G", "start 2048", "log in"]
    config = json.loads((project.vm / "config.ign").read_text())
    assert config["storage"]["files"][0]["path"] == HOST_KEY
    assert len(pinned(project.known_hosts, "127.0.0.1", 2222)) == 1
    assert "next: fab -H core@127.0.0.1:2222 deploy --first" in capsys.readouterr().out


def test_a_dry_run_prints_the_command_and_starts_nothing(
    project: Project, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    vm.vm_up(project, options(project, dry_run=True))

    assert started == []
    assert "-fw_cfg name=opt/com.coreos/config,file=" in " ".join(capsys.readouterr().out.split())
    assert not project.vm.exists()


def test_everything_that_is_missing_is_listed_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    project.ignition.unlink()

    with pytest.raises(DeployError) as refused:
        vm.vm_up(project, VmOptions(image="/nonexistent.qcow2"))

    for part in ("/nonexistent.qcow2", "shop-www.ign", "qemu-img", "swtpm"):
        assert part in refused.value.message
    assert "fab os-image --kind qemu" in refused.value.hint
    assert "--no-tpm" in refused.value.hint


def test_another_system_than_linux_is_refused(
    project: Project, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")

    with pytest.raises(DeployError, match="needs Linux, and this is Darwin"):
        vm.vm_up(project, options(project))

    assert started == []


def test_a_missing_option_for_the_image_is_named(project: Project) -> None:
    with pytest.raises(DeployError, match="--image is missing") as refused:
        vm.vm_up(project, VmOptions())

    assert "fab os-image --kind qemu" in refused.value.hint


def test_a_machine_that_ends_is_reported_with_the_end_of_its_console(
    project: Project, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        (project.vm / "console.log").write_text("kernel panic\n")
        raise DeployError("connection refused")

    def is_alive(_: Path) -> bool:
        return False

    monkeypatch.setattr(vm, "boot_id", refuse)
    monkeypatch.setattr(vm, "is_alive", is_alive)

    with pytest.raises(DeployError, match="QEMU ended") as failed:
        vm.vm_up(project, options(project))

    assert "kernel panic" in failed.value.hint
    assert started[-1] == "start 2048"


def test_a_machine_that_never_answers_is_given_up_after_the_timeout(
    project: Project, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise DeployError("connection refused")

    monkeypatch.setattr(vm, "boot_id", refuse)

    with pytest.raises(DeployError, match="did not come up: connection refused"):
        vm.vm_up(project, options(project, timeout=30))

    assert started[-1] == "start 2048"


def test_stopping_removes_the_disk_and_tells_whether_there_was_one(project: Project) -> None:
    project.vm.mkdir(parents=True)

    assert vm.vm_down(project.folder)
    assert not project.vm.exists()
    assert not vm.vm_down(project.folder)
