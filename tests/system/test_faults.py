"""What goes wrong, ends in one message, and leaves what served before."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images import build_image, remove_images
from tests.system.project import Project

pytestmark = pytest.mark.node

# The line after which each step of a deploy is under way.
UNDER_WAY = (
    "unit changed",
    "release staged",
    "on the node already",
    "project files sent",
    " started",
    "healthy over HTTPS",
    "front door moved",
    "HTTPS endpoint healthy",
    "release recorded",
)


@pytest.fixture(scope="module")
def broken_images(deployed: Project) -> Iterator[dict[str, str]]:
    """Build an image that dies at once and one that never answers."""
    programs = {
        "crash": "import sys; sys.exit('no such table')",
        "hang": "import time; time.sleep(900)",
        "new": "import sys; sys.exit('new')",
        "mimic": "import sys; print('a container died ' + 'a' * 64 + ' b'); print('b' * 64); "
        "print('conmon 12ab has died'); sys.exit(chr(27) + '[31mred ' + chr(233))",
    }
    names = {}
    for kind, program in programs.items():
        names[kind] = deployed.settings["IMAGE"].replace("test", kind)
        text = (
            f"FROM {deployed.settings['IMAGE']}\n"
            f'ENTRYPOINT ["/usr/bin/python3", "-c", "{program}"]\n'
        )
        build_image(names[kind], text, deployed.folder)
    yield names
    remove_images(*names.values())


def release_of(project: Project) -> str:
    return project.ssh(f"readlink /var/lib/{project.settings['PROJECT']}-www/current").strip()


def test_an_image_that_dies_is_put_back_and_its_last_words_are_shown(
    serving: Project, broken_images: dict[str, str]
) -> None:
    before = release_of(serving)

    said = serving.fab("deploy", IMAGE=broken_images["crash"])

    assert said.code == 1
    assert "no such table" in said.out
    assert "serves again, proven over HTTPS" in said.out
    assert release_of(serving) == before


def test_an_image_that_never_answers_is_put_back(
    serving: Project, broken_images: dict[str, str]
) -> None:
    before = release_of(serving)

    said = serving.fab(
        "deploy",
        IMAGE=broken_images["hang"],
        NOTIFY="false",
        WATCHDOG_SECONDS="0",
        HEALTH_TIMEOUT_SECONDS="3",
    )

    assert said.code == 1
    assert "not healthy within 3 s" in said.out
    assert "serves again" in said.out
    assert release_of(serving) == before


def test_the_log_has_the_lines_that_the_app_wrote_and_no_other(serving: Project) -> None:
    lines = serving.must("logs", "--lines", "20").splitlines()

    assert any("GET /health" in line for line in lines)
    assert all(lines)
    assert not any("container health_status" in line for line in lines)


@pytest.mark.slow
def test_a_failed_release_is_kept_stopped_with_its_logs_and_only_the_last_one(
    serving: Project, broken_images: dict[str, str]
) -> None:
    home = f"/var/lib/{serving.settings['PROJECT']}-www"
    look = f"cd {home}; ls; ls releases | wc -l; ls -d releases/*/failed"
    serving.fab("deploy", IMAGE=broken_images["crash"])
    before = serving.ssh(look).splitlines()

    said = serving.fab("deploy", IMAGE=broken_images["crash"])

    after = serving.ssh(look).splitlines()
    failed = after[-1].split("/")[1]
    assert f"fab logs --release {failed}" in said.out
    assert "no such table" in serving.must("logs", "--release", failed)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    assert "nothing to do" in serving.must("deploy")


@pytest.mark.slow
def test_the_log_has_every_line_of_the_app_also_one_that_looks_like_podmans(
    serving: Project, broken_images: dict[str, str]
) -> None:
    said = serving.fab("deploy", IMAGE=broken_images["mimic"])

    release = said.out.split("fab logs --release ")[1].split("`")[0]
    log = serving.must("logs", "--release", release, "--lines", "500").splitlines()
    assert f"a container died {'a' * 64} b" in log
    assert "b" * 64 in log
    assert "conmon 12ab has died" in log
    assert r"\x1b[31mred é" in log
    # Podman's own: the ids of containers, and events with the image's labels.
    assert not [one for one in log if len(one) == 64 and set(one) != {"b"}]
    assert not [one for one in log if "io.corefab" in one]


@pytest.mark.slow
@pytest.mark.parametrize("line", UNDER_WAY)
def test_an_interrupt_at_any_step_leaves_what_served(serving: Project, line: str) -> None:
    before = release_of(serving)

    code, said = stopped_after(serving, line, signal.SIGINT)

    assert code == 130, said
    assert "interrupted" in said
    # An interrupt while the proven release is written down may come too late; it says so.
    assert release_of(serving) == before or "it is healthy and recorded" in said
    serving.must("deploy")


# `make test` runs all of them on forky, as part of the core, and three on trixie.
@pytest.mark.core
@pytest.mark.parametrize(
    "line",
    [
        one
        if one in ("release staged", " started", "front door moved")
        else pytest.param(one, marks=pytest.mark.slow)
        for one in UNDER_WAY
    ],
)
def test_after_a_kill_at_any_step_the_next_deploy_works(serving: Project, line: str) -> None:
    stopped_after(serving, line, signal.SIGKILL)

    serving.must("deploy")


def stopped_after(project: Project, line: str, how: signal.Signals) -> tuple[int, str]:
    """Start a deploy that changes the unit, and stop it once it has said a line."""
    said = []
    with project.start("deploy", ENV_GREETING=f"{how.name} {line}") as process:
        assert process.stdout is not None
        for text in process.stdout:
            said.append(text)
            if line in text:
                os.kill(process.pid, how)
                break
        said.extend(process.stdout)
    return process.returncode, "".join(said)


def test_a_wrong_password_is_refused_before_the_node_is_touched(serving: Project) -> None:
    said = serving.fab("deploy", CERT_PASSWORD="not the password")

    assert said.code == 1
    assert "password" in said.out
    assert "not the password" not in said.out
    assert "release staged" not in said.out


def test_a_rotation_serves_the_new_certificate_and_keeps_the_old(serving: Project) -> None:
    before = json.loads(serving.must("cert-status", "--json"))["places"][0]["sha256"]

    said = serving.must("cert-rotate-https")

    places = json.loads(serving.must("cert-status", "--json"))["places"]
    served = {place["sha256"] for place in places}
    assert len(served) == 1
    assert before not in served
    assert "proven by handshake" in said


def test_a_rotation_that_is_not_served_is_undone(
    serving: Project, broken_images: dict[str, str]
) -> None:
    before = json.loads(serving.must("cert-status", "--json"))["places"]

    said = serving.fab("cert-rotate-https", IMAGE=broken_images["crash"], RELOAD_SIGNAL="")

    assert said.code == 1
    assert "previous certificate restored" in said.out
    after = json.loads(serving.must("cert-status", "--json"))["places"]
    assert {place["sha256"] for place in after} == {place["sha256"] for place in before}


def test_a_certificate_of_another_key_is_refused_before_the_node_is_touched(
    serving: Project,
) -> None:
    app = serving.settings["PROJECT"] + "-www"
    material = serving.folder / "certs/material" / app
    kept = serving.folder / "kept"
    shutil.copytree(material, kept)
    serving.must("cert-issue")
    shutil.copy2(kept / "server.key.enc", material / "server.key.enc")

    said = serving.fab("deploy")

    shutil.rmtree(material)
    kept.rename(material)
    assert said.code == 1
    assert "is not the one of certificate" in said.out
    assert "release staged" not in said.out


def test_a_unit_the_generator_refuses_is_never_written(serving: Project) -> None:
    template = serving.folder / "butane/templates/app/@SLOT@.container"
    right = template.read_text()
    assert "ReadOnly=" in right
    template.write_text(right.replace("ReadOnly=", "ReadOnyl="))
    before = release_of(serving)

    said = serving.fab("deploy")

    template.write_text(right)
    assert said.code == 1
    assert "ReadOnyl" in said.out
    assert release_of(serving) == before


@pytest.mark.parametrize("unit", ["@SLOT@.container", "door.service"])
def test_a_value_that_systemd_cannot_read_is_never_written(serving: Project, unit: str) -> None:
    template = serving.folder / "butane/templates/app" / unit
    right = template.read_text()
    template.write_text(right.replace("RestartSec=1\n", "RestartSec=soon\n"))
    before = release_of(serving)

    said = serving.fab("deploy")

    template.write_text(right)
    assert said.code == 1
    assert "systemd-analyze of this node refuses the units" in said.out
    assert "Failed to parse RestartSec=soon" in said.out
    assert release_of(serving) == before


def test_a_blank_without_value_names_file_and_line(serving: Project) -> None:
    template = serving.folder / "butane/templates/node/sysctl.conf"
    right = template.read_text()
    template.write_text(right + "vm.swappiness = @SWAPPYNESS@\n")

    said = serving.fab("prepare", "--yes")

    template.write_text(right)
    assert said.code == 1
    assert (
        f"sysctl.conf:{right.count(chr(10)) + 1}: the blank @SWAPPYNESS@ has no value" in said.out
    )


def test_a_missing_image_is_named(serving: Project) -> None:
    said = serving.fab("deploy", IMAGE="localhost/nowhere:latest")

    assert said.code == 1
    assert "localhost/nowhere:latest" in said.out
    assert "Traceback" not in said.out


def test_a_host_key_that_is_not_pinned_stops_every_command(serving: Project) -> None:
    for command in ("deploy", "status", "cert-status", "logs"):
        said = serving.fab(command, KNOWN_HOSTS="certs/none")

        assert said.code == 1
        assert "is not pinned" in said.out
        assert "fab trust --fingerprint SHA256:" in said.out


def test_a_changed_host_key_stops_every_command(serving: Project, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True
    )
    public = (tmp_path / "k.pub").read_text().split()
    pins = serving.folder / "certs/other_hosts"
    pins.write_text(f"{serving.node.address} {public[0]} {public[1]}\n")

    said = serving.fab("deploy", KNOWN_HOSTS="certs/other_hosts")

    assert said.code == 1
    assert "has changed" in said.out


def test_trust_pins_the_key_with_the_right_fingerprint_only(serving: Project) -> None:
    pins = {"KNOWN_HOSTS": "certs/trusted"}
    wrong = serving.fab("trust", "--fingerprint", "SHA256:" + "A" * 43, **pins)
    shown = serving.fab("trust", **pins)
    right = next(word for word in shown.out.split() if word.startswith("SHA256:")).rstrip(",")

    assert wrong.code == 1
    assert shown.code == 1
    assert "not a terminal to confirm it" in shown.out
    serving.must("trust", "--fingerprint", right, **pins)
    serving.must("status", **pins)


@pytest.mark.slow
def test_a_node_that_does_not_answer_ends_in_one_message(serving: Project) -> None:
    said = serving.fab("-H", f"core@{serving.node.address}:2", "status")

    assert said.code == 1
    assert "cannot be reached" in said.out
    assert "Traceback" not in said.out


def test_a_login_that_fails_says_whose_key_is_missing(serving: Project) -> None:
    said = serving.fab("-H", f"nobody-here@{serving.node.address}", "status")

    assert said.code == 1
    assert "does not let nobody-here in" in said.out


def test_two_deploys_at_once_the_second_names_the_first(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    holder = '{"who": "ann@desk", "what": "deploy", "since": "2026-01-01T00:00:00+00:00"}'
    lock = f"/run/corefab/{app}.lock"
    serving.ssh(
        f"echo '{holder}' > {lock}; systemd-run --quiet --unit=holder flock {lock} sleep 60; "
        f"until ! flock -n {lock} true; do :; done"
    )

    said = serving.fab("deploy", ENV_GREETING="second")

    serving.ssh("systemctl stop holder")
    assert said.code == 1
    assert "being changed by ann@desk (deploy, since 2026-01-01" in said.out


@pytest.mark.slow
def test_a_deploy_holds_its_lock_until_it_ends(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    with serving.start("deploy", ENV_GREETING="held") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "release staged" in line:
                break
        free = serving.ssh(f"flock -n /run/corefab/{app}.lock echo free || echo held").strip()
        other = serving.fab("deploy", ENV_GREETING="other")
        process.stdout.read()

    assert process.returncode == 0
    assert free == "held"
    # The other waits a moment for the lock. Then it gives up, or it follows on the first.
    log = serving.ssh("tail -n 2 /var/lib/corefab/audit.log").splitlines()
    first, last = (json.loads(line) for line in log)
    refused = "being changed by" in other.out or "another deploy ran meanwhile" in other.out
    assert (other.code == 1 and refused) or last["previous"] == first["release"]
    serving.must("deploy")


@pytest.mark.slow
def test_two_thousand_project_files_are_no_burden(serving: Project) -> None:
    folder = serving.folder / "container/sample/files/many"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number}.txt").write_text(str(number))
    serving.must("deploy")

    said = serving.must("deploy")

    assert "nothing to do" in said
    shutil.rmtree(folder)
    serving.must("deploy")


@pytest.mark.slow
@pytest.mark.parametrize("rubbish", ["", "{", "[]"])
def test_a_marker_that_cannot_be_read_is_an_unfinished_deploy(
    serving: Project, rubbish: str
) -> None:
    app = serving.settings["PROJECT"] + "-www"
    serving.ssh(f"printf '%s' '{rubbish}' > /var/lib/{app}/deploying")

    assert "nothing to do" in serving.must("deploy")


def test_an_app_that_does_not_answer_is_mended(serving: Project) -> None:
    app = serving.container()
    serving.ssh(f"podman pause {app}")

    said = serving.must("deploy")

    assert "serves release" in said


def test_a_credential_that_is_no_longer_wanted_leaves_the_node(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    environment = serving.folder / ".env"
    usual = environment.read_text()
    environment.write_text(usual + "SECRET_SPARE=spare\n")
    serving.must("deploy")
    look = f"ls /var/lib/{app}/current/credentials | grep -c spare || true"

    assert serving.ssh(look).strip() == "1"

    environment.write_text(usual)
    serving.must("deploy")

    assert serving.ssh(look).strip() == "0"


def test_status_shows_a_firewall_that_is_not_loaded(serving: Project) -> None:
    serving.ssh("systemctl stop corefab-firewall-keep; nft delete table inet corefab")

    said = serving.fab("status")

    serving.ssh("systemctl restart corefab-firewall corefab-firewall-keep")
    assert "not loaded" in said.out


def test_a_disk_that_is_too_full_is_seen_before_anything_travels(
    serving: Project, broken_images: dict[str, str]
) -> None:
    serving.ssh("mount -t tmpfs -o size=100m tmpfs /var/tmp")

    said = serving.fab("deploy", IMAGE=broken_images["new"])

    serving.ssh("umount /var/tmp")
    assert said.code == 1
    assert "not enough disk space on the node" in said.out
    assert "release staged" not in said.out


@pytest.mark.slow
def test_a_hand_edit_of_a_unit_is_put_right(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    unit = f"/etc/containers/systemd/{app}-blue.container"
    serving.ssh(f"echo '# by hand' >> {unit}; chmod 600 {unit}")

    said = serving.must("deploy")

    assert f"unit changed: {unit}" in said
    assert serving.ssh(f"stat -c %a {unit}").strip() == "644"


def test_an_app_that_was_stopped_by_hand_is_started(serving: Project) -> None:
    app = serving.container()
    serving.ssh(f"systemctl stop {app}")

    said = serving.must("deploy")

    assert "the app is inactive" in said


@pytest.mark.core
def test_a_first_deploy_that_fails_can_be_tried_again(
    staging: Project, serving: Project, broken_images: dict[str, str]
) -> None:
    settings = (staging.folder / ".env.staging").read_text()
    other = staging.folder / ".env.again"
    other.touch(mode=0o600)
    other.write_text(
        settings.replace("=staging", "=again").replace("8444", "8446").replace("8081", "8082")
    )
    staging.must("cert-issue", "--name", "again")

    failed = staging.fab("deploy", "--first", "--name", "again", IMAGE=broken_images["crash"])

    assert failed.code == 1
    assert "nothing deployed" in failed.out
    staging.must("deploy", "--first", "--name", "again")
    other.unlink()
