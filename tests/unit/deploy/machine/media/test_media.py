"""`fab iso` and `fab pxe` run coreos-installer, and remember the host keys of what it makes."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.install.plan.ignition import HOST_KEY
from deploy.machine.media.media import iso, pxe
from deploy.machine.media.plan.options import Customization
from deploy.node.known_hosts import pinned
from deploy.project import Project
from tests.unit.deploy.examples import settings

LOGIN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFake me@here"
# Writes its arguments and the configs that it reads beside the medium.
INSTALLER = """#!/bin/sh
printf '%s\\n' "$@" >{folder}/arguments
for argument in "$@"; do
  case $argument in
    --live-ignition=*) cat "${{argument#*=}}" >{folder}/live.ign ;;
    --dest-ignition=*) cat "${{argument#*=}}" >{folder}/installed.ign ;;
    --output=*) echo medium >"${{argument#*=}}" ;;
  esac
done
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a key, a machine spec, and a Fedora CoreOS image."""
    made = Project(tmp_path, settings(SSH_KEYS="me.pub", NODE_ADDRESS="192.0.2.7"))
    (tmp_path / "me.pub").write_text(f"{LOGIN}\n")
    made.build.mkdir()
    made.ignition.write_text(json.dumps({"ignition": {"version": "3.3.0"}}))
    (tmp_path / "live.iso").write_text("live")
    return made


def installer(folder: Path, text: str = INSTALLER) -> str:
    """Make a stand-in for coreos-installer."""
    program = folder / "coreos-installer"
    program.write_text(text.format(folder=folder))
    program.chmod(0o755)
    return str(program)


def arguments(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().splitlines()


def host_key(config: Path) -> str:
    files = json.loads(config.read_text())["storage"]["files"]
    assert [one["path"] for one in files] == [HOST_KEY, f"{HOST_KEY}.pub"]
    return str(files[1]["contents"]["source"])


@pytest.mark.program
def test_an_iso_lets_the_operator_in_and_its_host_key_is_known(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    iso(project, tmp_path / "live.iso", Customization(installer=installer(tmp_path)))

    made = project.media / "corefab.iso"
    assert made.read_text() == "medium\n"
    assert made.stat().st_mode & 0o777 == 0o600
    assert LOGIN in (tmp_path / "live.ign").read_text()
    assert len((project.media / "host_keys.pub").read_text().splitlines()) == 1
    assert arguments(tmp_path)[:2] == ["iso", "customize"]
    assert arguments(tmp_path)[-1] == str(tmp_path / "live.iso")
    assert "fab install ADDRESS" in capsys.readouterr().out


@pytest.mark.program
def test_an_unattended_iso_installs_the_spec_with_a_host_key_that_is_pinned(
    project: Project, tmp_path: Path
) -> None:
    wanted = Customization(
        device="/dev/vda", console=("ttyS0",), append_karg=("a=b",), installer=installer(tmp_path)
    )

    iso(project, tmp_path / "live.iso", wanted)

    assert {"--dest-device=/dev/vda", "--dest-console=ttyS0", "--dest-karg-append=a=b"} <= set(
        arguments(tmp_path)
    )
    assert host_key(tmp_path / "installed.ign") != host_key(tmp_path / "live.ign")
    assert len(pinned(project.known_hosts, "192.0.2.7", 22)) == 1


@pytest.mark.program
def test_an_initramfs_is_printed_with_the_kernel_arguments_to_boot_it(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Customization(output="mine.img", installer=installer(tmp_path))

    pxe(project, tmp_path / "live.iso", wanted, rootfs_url="http://192.0.2.1/rootfs.img")

    assert (tmp_path / "mine.img").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "coreos.live.rootfs_url=http://192.0.2.1/rootfs.img ignition.firstboot" in said


@pytest.mark.program
def test_an_installer_that_fails_is_quoted_and_nothing_is_remembered(
    project: Project, tmp_path: Path
) -> None:
    failing = installer(tmp_path, "#!/bin/sh\necho no space left >&2; exit 1\n")

    with pytest.raises(DeployError, match="no space left"):
        iso(project, tmp_path / "live.iso", Customization(installer=failing))

    assert list(project.media.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "wanted", "problem"),
    [
        ("missing.iso", Customization(), "missing.iso is not a file"),
        ("live.iso", Customization(output="live.iso"), "live.iso exists"),
        ("live.iso", Customization(console=("ttyS0",)), "no --device is given"),
        ("live.iso", Customization(installer="/nonexistent"), "/nonexistent does not exist"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    project: Project, tmp_path: Path, source: str, wanted: Customization, problem: str
) -> None:
    with pytest.raises(DeployError, match=problem):
        iso(project, tmp_path / source, wanted)

    assert not project.media.exists()
