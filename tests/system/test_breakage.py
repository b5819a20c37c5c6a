"""Whatever breaks in the middle, no visitor notices, and the next deploy leaves a clean node."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project, Said
from tests.system.test_faults import release_of
from tests.system.visitors import Visits, visiting
from tests.system.wire import Wire, wire

pytestmark = pytest.mark.node
# A program that a script of each step starts, and the step.
PROGRAMS = {
    "sync": "stage",
    "systemd-sysusers": "start",
    "logger": "finish",
    "nsenter": "retire",
}


@pytest.fixture(scope="module")
def bytes_of_a_deploy(deployed: Project) -> int:
    with wire(deployed.node.address) as whole:
        said = through(deployed, whole, ENV_GREETING="counted")
    assert said.code == 0, said.out
    deployed.must("deploy")
    return whole.carried


def through(project: Project, way: Wire, **settings: str) -> Said:
    """Deploy over a wire; the proof from outside goes its own way."""
    pins = (project.folder / "certs/known_hosts").read_text().splitlines()
    place = f"[127.0.0.1]:{way.port}"
    (project.folder / "certs/wired").write_text(
        "".join(f"{place} {pin.partition(' ')[2]}\n" for pin in pins)
    )
    told = {
        "NODE_ADDRESS": "127.0.0.1",
        "NODE_PORT": str(way.port),
        "KNOWN_HOSTS": "certs/wired",
        "PUBLIC_ADDRESS": project.node.address,
    }
    return project.fab("deploy", **told, **settings)


def assert_clean(project: Project) -> None:
    """Nothing is left of what did not end: no mark of it, no slot beside the one that serves."""
    app = project.settings["PROJECT"] + "-www"
    left = project.ssh(
        f"cd /var/lib/{app}; ls deploying switching 2>/dev/null || true; ls releases | grep new "
        f"|| true; systemctl is-active {app}-blue {app}-green | grep -c ^active"
    )
    assert left.split() == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_connection_cut_at_any_byte(
    serving: Project, visits: Visits, bytes_of_a_deploy: int, seed: int
) -> None:
    limit = random.Random(seed).randrange(2000, bytes_of_a_deploy)  # noqa: S311

    with wire(serving.node.address, limit) as cut:
        said = through(serving, cut, ENV_GREETING=f"cut {seed}")

    # Once it is recorded, a cut leaves nothing but the old slot to stop.
    done = "release recorded" in said.out
    assert said.code == int(not done), f"{limit} of {bytes_of_a_deploy} bytes: {said.out}"
    assert "Traceback" not in said.out
    serving.must("deploy")
    assert_clean(serving)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_script_of_a_step_killed_on_the_node(
    serving: Project, visits: Visits, program: str
) -> None:
    shim = f"/usr/local/bin/{program}"
    serving.ssh(f"printf '#!/bin/sh\\nrm -f {shim}\\nkill -9 $PPID\\n' >{shim}; chmod 755 {shim}")

    said = serving.fab("deploy", ENV_GREETING=f"killed in {PROGRAMS[program]}")

    assert serving.ssh(f"rm {shim} 2>&1 || true").strip() != "", "nobody started the program"
    assert "Traceback" not in said.out
    serving.must("deploy")
    assert_clean(serving)


@contextmanager
def nearly_full(project: Project, path: str, kilobytes: int) -> Iterator[None]:
    """Put a folder on a disk of its own with so much room; what is there then is kept after."""
    project.ssh(
        "mkdir -p /run/below /run/full; "
        f"mount --bind {path} /run/below; mount -t tmpfs -o mode=755 tmpfs /run/full; "
        f"cp -a {path}/. /run/full; mount --bind /run/full {path}; "
        "used=$(df --output=used -k /run/full | tail -n 1); "
        f"mount -o remount,size=$((used + {kilobytes} + 4))k /run/full"
    )
    try:
        yield
    finally:
        project.ssh("mount -o remount,size=256m /run/full")
        mended = project.fab("deploy")
        project.ssh(
            "chattr -a /run/below/* 2>/dev/null || true; "
            f"rsync -aHX --delete /run/full/ /run/below/; umount -l {path} /run/full /run/below"
        )
    assert mended.code == 0, mended.out
    assert_clean(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "kilobytes"),
    [
        ("/var/lib/APP", 0),
        ("/var/lib/APP", 48),
        ("/var/lib/APP", 24),
        ("/etc/containers/systemd", 0),
    ],
)
def test_a_disk_that_fills_in_the_middle(
    serving: Project, visits: Visits, where: str, kilobytes: int
) -> None:
    path = where.replace("APP", serving.settings["PROJECT"] + "-www")
    before = release_of(serving)

    with nearly_full(serving, path, kilobytes):
        said = serving.fab("deploy", ENV_GREETING="full " * 800)

        assert said.code == 1, said.out
        assert "No space left" in said.out
        assert release_of(serving) == before


@pytest.mark.slow
def test_no_room_for_a_host_file_leaves_what_served_running(
    serving: Project, visits: Visits
) -> None:
    held = f"/run/corefab/{serving.settings['PROJECT']}-www.held"
    shim = "/usr/local/bin/install"
    text = (
        f'#!/bin/sh\ncase "$*" in *corefab-new*) if [ -e {held} ]; then\n'
        "echo No space left on device >&2; exit 1; fi ;; esac\n"
        'exec /usr/bin/install "$@"\n'
    )
    serving.ssh(f"cat >{shim} <<'END'\n{text}END\nchmod 755 {shim}")
    before = release_of(serving)

    said = serving.fab(
        "deploy", SWITCH="restart", ENV_FAULT="web:crash", HEALTH_TIMEOUT_SECONDS="3"
    )

    serving.ssh(f"rm {shim}")
    assert said.code == 1
    assert "is back, but not all of its host files are" in said.out
    assert release_of(serving) == before
    serving.must("deploy")
    assert_clean(serving)


def test_what_serves_without_a_manifest_that_can_be_read_outlives_a_failed_deploy(
    serving: Project, visits: Visits
) -> None:
    home = f"/var/lib/{serving.settings['PROJECT']}-www"
    before = release_of(serving)
    serving.ssh(f"cd {home}/current; cp -p manifest.json kept; echo rubbish >manifest.json")

    said = serving.fab("deploy", "--first", ENV_FAULT="web:crash", HEALTH_TIMEOUT_SECONDS="3")

    assert said.code == 1
    assert "nothing deployed" not in said.out
    assert release_of(serving) == before
    serving.ssh(f"cd {home}/current; mv kept manifest.json")


def test_a_reboot_after_the_door_moved(serving: Project) -> None:
    with serving.start("deploy", ENV_GREETING="rebooted late") as process:
        assert process.stdout is not None
        for text in process.stdout:
            if "front door moved" in text:
                break
        serving.reboot()
        process.stdout.read()

    serving.must("deploy")
    assert_clean(serving)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [1, -1])
def test_a_node_whose_clock_is_an_hour_off(serving: Project, visits: Visits, hours: int) -> None:
    clock = "/usr/local/bin/date"
    serving.ssh(
        f'printf \'#!/bin/sh\\nexec /usr/bin/date --date="now {hours:+} hour" "$@"\\n\' >{clock}; '
        f"chmod 755 {clock}"
    )
    first = release_of(serving).removeprefix("releases/")

    serving.must("deploy", ENV_GREETING=f"{hours} off")
    said = serving.must("rollback")

    serving.ssh(f"rm {clock}")
    assert first in said
    serving.must("deploy")
    assert_clean(serving)


def test_a_container_that_somebody_removed_comes_back(serving: Project) -> None:
    container = serving.container()
    serving.ssh(f"podman rm -f -t 0 {container} >/dev/null")

    serving.must("deploy")

    assert_clean(serving)


@pytest.mark.slow
def test_a_corrupted_layer_is_found_and_the_image_is_sent_again(serving: Project) -> None:
    before = release_of(serving)
    look = f"podman image inspect --format '{{{{.GraphDriver.Data.UpperDir}}}}' {image_of(serving)}"
    file = f"{serving.ssh(look).strip()}/app/workers.toml"
    serving.ssh(f"echo '[rubbish' >>{file}")

    with visiting(serving.node.address, NAME, authority(serving)) as found:
        shown = serving.fab("image-verify")
        said = serving.fab("deploy", "--force")

    assert found.failures == []
    assert shown.code == said.code == 1
    assert "app/workers.toml" in shown.out
    assert "serves again, proven over HTTPS" in said.out
    assert release_of(serving) == before
    assert "not a terminal" in serving.fab("image-repair").out
    wrong = serving.fab("image-repair", "--yes", CERT_PASSWORD="not the password")
    assert (wrong.code, release_of(serving)) == (1, before)
    assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200
    repaired = serving.must("image-repair", "--yes")
    assert "damaged" in repaired
    assert '"image-repair"' in serving.must("audit", "--json")
    assert serving.fab("image-verify").code == 0
    assert_clean(serving)


def image_of(project: Project) -> str:
    return project.ssh(f"podman inspect --format '{{{{.Image}}}}' {project.container()}").strip()
