"""A node reads facts of itself, starting little, and writes them as metrics."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.metrics.plan.exposition import read_metrics
from deploy.node.script import script_text
from tests.unit.deploy.examples import NOW, manifest
from tests.unit.deploy.page.pages import holder

pytestmark = pytest.mark.program
AT = int(NOW.timestamp())
HOME = "var/lib/shop-www"
RELEASE = f"{HOME}/releases/20300615-120000-ab12"
UNITS = """Id=shop-www-blue.service
ActiveState=active
NRestarts=3
MemoryCurrent=50000000
CPUUsageNSec=1234567890123
StatusText=web is hung; 1 of 2 workers healthy, restarts: 7

Id=shop-www-green.service
ActiveState=inactive
NRestarts=0
MemoryCurrent=[not set]
CPUUsageNSec=18446744073709551615
StatusText=
"""
FAKES = {
    "systemctl": "case $* in *NFailedUnits*) echo 2 ;; *shop-www*) cat {root}/units ;; esac",
    "chronyc": "echo A,B,2,1,-0.000012,0,0,0,0,0,0,0,1,Normal",
    "nft": "case $* in *'list table'*) echo '443 : 10.1.2.3 . 8443' ;; esac",
    "systemd-creds": "case $* in *api_token*) exit 1 ;; esac; echo secret",
    "rpm-ostree": """echo '{"deployments": [{"staged": true, "version": "45.1"}]}'""",
    "podman": "exit 125",
}
# What a node says that someone wants to do harm with.
HOSTILE = 'a"b\\c\nd\x1b[2J\u202e{}'
ESCAPED = 'a"b\\c?d?[2J?{}'


@dataclass(frozen=True)
class Machine:
    """A folder with the files of a machine, and programs that stand in for its own."""

    root: Path
    bash: str
    began: int

    def command(self, *words: str, later: int = 0) -> list[str]:
        """Give what runs the script on this machine, by a clock of its own."""
        given = f"unset EPOCHSECONDS; EPOCHSECONDS={self.began + later}\nowner_above() {{ :; }}\n"
        text = script_text("metrics")
        start = text.index("file=/run/corefab/metrics")
        text = text[:start] + given + text[start:]
        for folder in ("/etc/", "/run/", "/var/lib"):
            text = text.replace(folder, f"{self.root}{folder}")
        # The priority of the session that runs the tests stays as it is.
        text = text.replace("/proc/self/autogroup", "/dev/null")
        return [self.bash, "-c", text, "metrics", *words]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

    def run(self, *words: str, later: int = 0, served: Path | None = None) -> str:
        """Run the script to its end; return what it printed."""
        more = {"METRICS_SERVED": str(served)} if served else {}
        done = subprocess.run(
            self.command(*words, later=later),
            check=True,
            capture_output=True,
            encoding="utf-8",
            env=self.environment | more,
        )
        assert done.stderr == ""
        return done.stdout

    def samples(self, *, later: int = 0) -> dict[tuple[str, ...], str]:
        """Give each value by its metric and its labels' values."""
        return {
            (one.name, *one.labels.values()): one.value
            for family in read_metrics(self.run(later=later))
            for one in family.samples
        }

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def grow_old(self) -> None:
        """Have every source lie there for long: what changes in the same second is read twice."""
        for path in self.root.rglob("*"):
            if "run/corefab" not in str(path):
                os.utime(path, (AT - 10**9, AT - 10**9), follow_symlinks=False)

    def started(self) -> list[str]:
        """List what was started of the programs that take long, and forget it."""
        log = self.root / "started"
        found = log.read_text().split("\n")[:-1] if log.exists() else []
        log.unlink(missing_ok=True)
        return found


@pytest.fixture
def machine(tmp_path: Path, program: Callable[[str], str]) -> Machine:
    made = Machine(tmp_path, program("bash"), int(time.time()))
    program("openssl")
    fakes = FAKES | {"jq": f'exec {program("jq")} "$@"'}
    for name, text in fakes.items():
        log = f"echo {name} >>{tmp_path}/started\n"
        made.write(f"bin/{name}", f"#!/bin/sh\n{log}{text.replace('{root}', str(tmp_path))}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    made.write("units", UNITS)
    made.write("etc/os-release", "PRETTY_NAME=\"Fedora CoreOS\"\nOSTREE_VERSION='44.1'\n")
    made.write("etc/corefab/spec", "f" * 64)
    held = json.loads(manifest().model_dump_json()) | {"seconds": {"start": 2.5, "check": 4}}
    made.write(f"{RELEASE}/manifest.json", json.dumps(held | {"by": HOSTILE}))
    for name in ("cert_pass", "api_token"):
        made.write(f"{RELEASE}/credentials/{name}", "sealed")
    for link in ("current", "blue"):
        (tmp_path / HOME / link).symlink_to(RELEASE.removeprefix(f"{HOME}/"))
    made.write(
        "etc/containers/systemd/shop-www-blue.container", "Network=shop-www.network:ip=10.1.2.3\n"
    )
    lines = [
        {"app": "shop-www", "what": "deploy", "result": "ok", "at": "2030-06-15T12:00:00+0000"},
        {"app": "shop-www", "what": "deploy", "result": "ok", "at": "2030-06-15T12:00:07+0000"},
        {"app": "shop-www", "what": "deploy", "result": "failed", "at": "2030-06-15T12:00:01+0000"},
        {"app": "node", "what": HOSTILE, "result": "ok", "at": "yesterday"},
    ]
    made.write("var/lib/corefab/audit.log", "\n".join([*map(json.dumps, lines), '{"app": "sh']))
    made.grow_old()
    return made


def test_a_release_and_what_happened_to_its_app_are_told(machine: Machine) -> None:
    (machine.root / "var/lib/shop-www/deploying").touch()

    found = machine.samples()

    info = next(key for key in found if key[0] == "corefab_release_info")
    assert info[1:4] == ("shop-www", "20300615-120000-ab12", "localhost/shop:1")
    assert info[-1] == ESCAPED
    expected = {
        ("corefab_release_timestamp_seconds", "shop-www"): str(AT),
        ("corefab_release_deploy_duration_seconds", "shop-www"): "6.5",
        ("corefab_deploy_unfinished", "shop-www"): "1",
        ("corefab_maintenance", "shop-www"): "0",
        ("corefab_changes_total", "shop-www", "deploy", "ok"): "2",
        ("corefab_changes_total", "shop-www", "deploy", "failed"): "1",
        ("corefab_changes_total", "node", ESCAPED, "ok"): "1",
        ("corefab_last_change_timestamp_seconds", "shop-www"): str(AT + 7),
        ("corefab_credential_opens", "shop-www", "cert_pass"): "1",
        ("corefab_credential_opens", "shop-www", "api_token"): "0",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert ("corefab_last_change_timestamp_seconds", "node") not in found


def test_slots_are_told_with_what_systemd_and_the_supervisor_say(machine: Machine) -> None:
    found = machine.samples()

    blue, green = ("shop-www", "blue"), ("shop-www", "green")
    expected = {
        ("corefab_slot_serving", *blue): "1",
        ("corefab_slot_serving", *green): "0",
        ("corefab_slot_state", *blue, "active"): "1",
        ("corefab_slot_state", *blue, "failed"): "0",
        ("corefab_slot_state", *green, "inactive"): "1",
        ("corefab_slot_memory_bytes", *blue): "50000000",
        ("corefab_slot_cpu_seconds_total", *blue): "1234.567890123",
        ("corefab_slot_restarts_total", *blue): "3",
        ("corefab_workers", *blue): "2",
        ("corefab_workers_healthy", *blue): "1",
        ("corefab_worker_restarts_total", *blue): "7",
        ("corefab_front_door_open", "shop-www"): "1",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert ("corefab_slot_memory_bytes", *green) not in found


@pytest.mark.parametrize(
    "said", ["hello", "x9 of 2 workers healthy", "1 of 2 workers healthy}", "$(id) a[0] of 2"]
)
def test_what_an_app_without_a_supervisor_says_counts_no_workers(
    machine: Machine, said: str
) -> None:
    machine.write("units", UNITS.replace("web is hung; 1 of 2 workers healthy, restarts: 7", said))

    assert [key for key in machine.samples() if "worker" in key[0]] == []


def test_the_machine_itself_is_told(machine: Machine) -> None:
    found = machine.samples()

    assert found["corefab_os_info", "Fedora CoreOS", "44.1", os.uname().release, "f" * 64] == "1"
    assert found["corefab_os_staged",] == "0"
    assert found["corefab_failed_units",] == "2"
    assert found["corefab_clock_offset_seconds",] == "-0.000012"
    assert found["corefab_clock_synchronized",] == "1"
    assert float(found["corefab_cpu_seconds_total", "user"]) > 0
    assert int(found["corefab_memory_size_bytes",]) > int(found["corefab_memory_available_bytes",])
    assert found["corefab_metrics_timestamp_seconds",] == str(machine.began)
    disk = os.statvfs("/var")
    assert found["corefab_filesystem_size_bytes", "/var"] == str(disk.f_blocks * disk.f_frsize)


def test_a_staged_update_is_asked_for_once(machine: Machine) -> None:
    machine.write("run/ostree/staged-deployment", "")
    machine.grow_old()

    found = machine.samples()
    assert found["corefab_os_staged",] == "1"
    assert found["corefab_os_staged_info", "45.1"] == "1"

    machine.started()
    machine.samples()
    assert "rpm-ostree" not in machine.started()


def test_a_second_time_starts_one_program_of_those_that_take_long(machine: Machine) -> None:
    first = machine.samples()
    assert "podman" not in machine.started()

    second = machine.samples()

    assert machine.started() == ["systemctl"]
    assert first.keys() == second.keys()


@pytest.mark.parametrize(
    ("later", "again"),
    [(59, set()), (61, {"chronyc", "nft"}), (3601, {"chronyc", "nft", "systemd-creds"})],
)
def test_what_takes_a_program_is_asked_again_when_it_is_old(
    machine: Machine, later: int, again: set[str]
) -> None:
    machine.samples()
    machine.started()

    machine.samples(later=later)

    assert set(machine.started()) == again | {"systemctl"}


def test_what_changed_is_read_again(machine: Machine) -> None:
    machine.samples()
    log = machine.root / "var/lib/corefab/audit.log"
    with log.open("a") as file:
        file.write('\n{"app": "shop-www", "what": "deploy", "result": "ok"}\n')
    home = machine.root / "var/lib/shop-www"
    machine.write("var/lib/shop-www/releases/2/manifest.json", '{"release": "2", "image": null}')
    (home / "next").symlink_to("releases/2")
    (home / "next").rename(home / "current")

    found = machine.samples()

    assert found["corefab_changes_total", "shop-www", "deploy", "ok"] == "3"
    assert ("corefab_release_info", "shop-www", "2", "", "", "", "") in found
    assert not [key for key in found if key[0] == "corefab_credential_opens"]
    assert found["corefab_slot_serving", "shop-www", "blue"] == "0"


def test_certificates_are_told_by_when_they_expire(machine: Machine) -> None:
    one, proxy = holder("node"), "var/lib/corefab-proxy"
    machine.write(f"{RELEASE}/tls/server.crt", one.pem.decode())
    machine.write(f"{proxy}/releases/1/manifest.json", "{}")
    (machine.root / proxy / "current").symlink_to("releases/1")
    got = f"{proxy}/data/certificates/acme/shop.example.org"
    machine.write(f"{got}/shop.example.org.crt", one.pem.decode())
    machine.write(f"{got}/damaged.crt", "x")
    machine.write(f"{got}/not|one.crt", one.pem.decode())

    found = machine.samples()

    name = "corefab_certificate_expiry_timestamp_seconds"
    until = str(int(one.certificate.not_valid_after_utc.timestamp()))
    assert {key[1:]: value for key, value in found.items() if key[0] == name} == {
        ("shop-www", "server"): until,
        ("corefab-proxy", "acme/shop.example.org/shop.example.org"): until,
    }

    machine.grow_old()
    machine.samples(later=61)
    machine.write(f"{got}/renewed.crt", one.pem.decode())
    key = (name, "corefab-proxy", "acme/shop.example.org/renewed")
    assert machine.samples(later=62)[key] == until


def test_the_last_look_at_a_tag_is_told(machine: Machine) -> None:
    look = {"result": "failed", "reference": "r/x:live", "digest": "sha256:1", "release": "2"}
    status = look | {"at": "2030-06-15T12:00:00+00:00"}
    machine.write("var/lib/corefab/pull/shop-www/status.json", json.dumps(status))

    found = machine.samples()

    assert found["corefab_pull_info", "shop-www", *look.values()] == "1"
    assert found["corefab_pull_timestamp_seconds", "shop-www"] == str(AT)


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"release": ', '{"seconds": {"a": "x"}, "at": 5}', "\0"]
)
def test_a_damaged_manifest_costs_its_own_facts_only(machine: Machine, damage: str) -> None:
    machine.write(f"{RELEASE}/manifest.json", damage)

    found = machine.samples()

    assert found["corefab_slot_serving", "shop-www", "blue"] == "1"
    assert ("corefab_release_deploy_duration_seconds", "shop-www") not in found


def test_a_machine_without_apps_tells_of_itself(machine: Machine) -> None:
    (machine.root / "var/lib/shop-www/current").unlink()

    found = machine.samples()

    assert found["corefab_failed_units",] == "2"
    assert not [key for key in found if key[0].startswith("corefab_slot")]


GOOD = """# HELP corefab_backup_seconds How long.
# TYPE corefab_backup_seconds gauge
corefab_backup_seconds{to="s3:\\\\x\\"y"} 1.5e3
backup_files_total 7

# EOF
"""


def test_other_files_are_appended(machine: Machine) -> None:
    machine.write("run/corefab/metrics.d/backup.prom", GOOD)
    machine.write("run/corefab/metrics.d/.hidden.prom", "x")

    found = machine.samples()

    assert found["corefab_backup_seconds", 's3:\\x"y'] == "1.5e3"
    assert found["backup_files_total",] == "7"
    assert found["corefab_metrics_file_accepted", "backup"] == "1"
    assert machine.run().count("# EOF") == 1

    (machine.root / "run/corefab/metrics.d/backup.prom").unlink()
    assert ("backup_files_total",) not in machine.samples()


@pytest.mark.parametrize(
    "bad",
    [
        "backup_files 1", "corefab_other 1", "corefab_backup_x one", "corefab_backup_x",
        'corefab_backup_x{a="b} 1', 'corefab_backup_x{a="\\x"} 1', "corefab_backup_x 1 extra",
        "corefab_backup_é 1", 'corefab_backup_x{a="\x1b"} 1', "# comment", "corefab_release_info 1",
        "corefab_backup_x 1\n# TYPE corefab_backup_x gauge", "# TYPE corefab_backup_x info",
        "# TYPE corefab_backup_x gauge\n# TYPE corefab_backup_x gauge",
        "corefab_backup_x 1\n" * 4000,
    ],
)  # fmt: skip
def test_a_file_with_a_wrong_line_is_left_out(machine: Machine, bad: str) -> None:
    name = "release" if "release" in bad else "backup"
    if bad == "backup_files 1":
        name = "other"
    machine.write(f"run/corefab/metrics.d/{name}.prom", f"{bad}\n")
    machine.write("run/corefab/metrics.d/good.prom", "good_x 1\n")

    found = machine.samples()

    assert found["corefab_metrics_file_accepted", name] == "0"
    assert found["good_x",] == "1"
    assert not [key for key in found if "backup" in key[0] or key[0] == "corefab_other"]


def test_what_is_written_is_shown_while_it_is_new(machine: Machine) -> None:
    machine.run("write")
    file = machine.root / "run/corefab/metrics/corefab.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    written = file.read_text()
    assert written.endswith("\n# EOF\n")
    assert machine.run() == written

    file.write_text("old\n")
    assert machine.run() == "old\n"
    assert machine.run(later=600) != "old\n"


def test_the_proxy_gets_a_copy_where_it_serves_them(machine: Machine) -> None:
    served = machine.root / "run/corefab/proxy/metrics"
    machine.run("write")
    assert not served.exists()

    machine.run("write", served=served)

    file = served / "corefab.prom"
    assert file.read_text() == (machine.root / "run/corefab/metrics/corefab.prom").read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(served.iterdir()) == [file]


def test_it_is_written_again_and_again(machine: Machine) -> None:
    file = machine.root / "run/corefab/metrics/corefab.prom"
    machine.run("write")
    with subprocess.Popen(machine.command("write", "0.1"), env=machine.environment) as process:
        try:
            for _ in range(3):
                before = file.stat().st_ino
                deadline = time.monotonic() + 60
                while file.stat().st_ino == before:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            process.kill()


def test_every_metric_is_described_once(machine: Machine) -> None:
    lines = machine.run().splitlines()

    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert names == [line.split()[2] for line in lines if line.startswith("# HELP")]
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    for name, kind in kinds.items():
        assert name.endswith("_total") == (kind == "counter"), name
    assert {one.name for one in read_metrics("\n".join(lines))} == set(names)
