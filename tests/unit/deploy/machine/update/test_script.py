"""After an update of its operating system a machine keeps it, or goes back once and is held."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deploy.node.release import Proof
from deploy.node.script import script_text
from tests.unit.deploy.examples import manifest

pytestmark = pytest.mark.program
OLD, NEW, NEXT = "44.20300101.3.0", "44.20300115.3.1", "44.20300201.3.0"
# What has been up before this system, such as the machine below a container.
UP = 1000
PATIENCE = 30
RECORD = "var/lib/corefab/os-health.json"
HOLD = "run/zincati/config.d/90-corefab-hold.toml"
TOLD = "var/lib/corefab/notify/found/os.json"
SERVER = "https://updates.example.org"
CARD = {"ifname": "enp1s0", "link_type": "ether", "addr_info": []}
ADDRESS = CARD | {"addr_info": [{"local": "192.0.2.7", "scope": "global"}]}
LOOPBACK = {
    "ifname": "lo",
    "link_type": "loopback",
    "addr_info": [{"local": "127.0.0.1", "scope": "host"}],
}
FAKES = {
    # Each app's health path answers with the status in a file; the server of updates with a graph.
    "curl": """
for url in "$@"; do :; done
case $url in
  */v1/graph*) echo "$url" >>{root}/asked; cat {root}/graph || exit 22 ;;
  *) host=${url#*://}; cat {root}/answers/${host%%:*} ;;
esac
""",
    "ip": "cat {root}/addresses",
    "logger": ":",
    # Ten minutes pass as often as a test wants it, then the script is ended.
    "sleep": """
read -r up <{root}/proc/uptime
echo $((${up%%.*} + $1)).50 >{root}/proc/uptime
[ ! -e {root}/meanwhile ] || . {root}/meanwhile
[ "$1" != 600 ] || sed -i 1d {root}/looks
[ "$1" != 600 ] || [ -s {root}/looks ]
""",
    "systemctl": """
case $* in
  *UserspaceTimestampMonotonic) echo 1000000000 ;;
  show*) cat {root}/units/$2 2>/dev/null || cat {root}/units/failed ;;
  is-system-running) cat {root}/running ;;
  *) echo "$*" >>{root}/started ;;
esac
""",
    "rpm-ostree": """
echo "rpm-ostree $*" >>{root}/started
case $1 in
  status) cat {root}/deployments ;;
  rollback)
    [ ! -e {root}/broken ] || exit 1
    jq -c '.deployments |= [.[1], .[0]]' {root}/deployments >{root}/turned
    mv {root}/turned {root}/deployments
    ;;
esac
""",
    "uname": "echo x86_64",
}


@dataclass
class Machine:
    """A folder with the files of a machine, and programs that stand in for its own."""

    root: Path
    bash: str

    def run(self, looks: int = 0) -> str:
        """Run the script until it has restarted the machine, or looked so often."""
        self.write("looks", "look\n" * (looks + 1))
        text = script_text("os-health")
        start = text.index("patience=$1")
        text = f"{text[:start]}owner_above() {{ :; }}\n{text[start:]}"
        for folder in ("/etc/", "/run/", "/var/lib", "/usr/lib/zincati", "/proc/uptime"):
            text = text.replace(folder, f"{self.root}{folder}")
        # The priority of the session that runs the tests stays as it is.
        text = text.replace("/proc/self/autogroup", "/dev/null")
        done = subprocess.run(
            [self.bash, "-c", text, "os-health", str(PATIENCE)],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env={"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=60,
        )
        self.said = done.stdout
        return done.stderr

    said: str = ""

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def deploy(self, *versions: str, staged: str = "") -> None:
        """Have these versions on the disk; the first is what the next boot starts."""
        found = [{"version": one, "booted": one == self.runs, "staged": False} for one in versions]
        first = [{"version": staged, "booted": False, "staged": True}] if staged else []
        self.write("deployments", json.dumps({"deployments": [*first, *found]}))

    @property
    def next(self) -> str:
        """The version that the next boot starts."""
        found = json.loads((self.root / "deployments").read_text())["deployments"]
        return str(next(one for one in found if not one["staged"])["version"])

    runs: str = OLD

    def boot(self) -> None:
        """Start what is the first on the disk."""
        found = json.loads((self.root / "deployments").read_text())["deployments"]
        kept = [one["version"] for one in found if not one["staged"]]
        self.runs = kept[0]
        self.deploy(*kept)
        self.write("etc/os-release", f"NAME=Fedora\nOSTREE_VERSION='{self.runs}'\n")
        self.write("proc/uptime", f"{UP + 20}.50 40.00\n")
        self.write("started", "")
        (self.root / HOLD).unlink(missing_ok=True)

    def update(self, version: str = NEW) -> None:
        """Restart into another version; the one that ran stays on the disk."""
        self.deploy(version, self.runs)
        self.boot()

    def answers(self, app: str, status: str) -> None:
        self.write(f"answers/{app}.example.org", status)

    def serve(self, app: str) -> None:
        """Have an app on the machine, which answers."""
        at = f"var/lib/{app}"
        proof = Proof(path="/", address="", port=443, names=(f"{app}.example.org",), switch="slots")
        self.write(f"{at}/releases/r1/manifest.json", manifest(proof=proof).model_dump_json())
        for link in ("current", "blue"):
            (self.root / at / link).symlink_to("releases/r1")
        self.answers(app, "200")

    def unit(self, name: str, **properties: object) -> None:
        usual = {"LoadState": "loaded", "ActiveState": "active", "Result": "success"}
        found = usual | {"ActiveEnterTimestampMonotonic": 1} | properties
        self.write(f"units/{name}", "\n".join(f"{key}={value}" for key, value in found.items()))

    def offers(self, *versions: str) -> None:
        """Have the server of updates offer an update to each version, from the old one."""
        nodes = [{"version": one, "payload": "x", "metadata": {}} for one in (OLD, *versions)]
        edges = [[0, number] for number in range(1, len(nodes))]
        self.write("graph", json.dumps({"nodes": nodes, "edges": edges}))

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / RECORD).read_text())
        return found

    @property
    def started(self) -> list[str]:
        return (self.root / "started").read_text().splitlines()

    @property
    def audit(self) -> list[tuple[str, str]]:
        file = self.root / "var/lib/corefab/audit.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(one["result"], one["detail"]) for one in map(json.loads, lines)]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / TOLD).read_text())
        return found


@pytest.fixture
def machine(tmp_path: Path, program: Callable[[str], str]) -> Machine:
    """Give a machine with two apps that answer, which ran the old version for a while."""
    made = Machine(tmp_path, program("bash"))
    for name, text in FAKES.items():
        made.write(f"bin/{name}", f"#!/bin/sh\n{text.replace('{root}', str(tmp_path))}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    made.write("addresses", json.dumps([LOOPBACK, ADDRESS]))
    made.write("running", "running\n")
    made.unit("failed", ActiveState="failed", Result="exit-code", ActiveEnterTimestampMonotonic=0)
    made.write("etc/corefab/notify/settings.json", "{}")
    made.write(
        "usr/lib/zincati/config.d/50-server.toml",
        f'[cincinnati]\nbase_url= "{SERVER}"\n[updates.fleet_lock]\nbase_url = "https://lock"\n',
    )
    made.deploy(OLD)
    made.serve("shop-www")
    made.serve("blog-www")
    made.boot()
    made.run(looks=1)
    return made


def test_a_first_boot_is_noted_and_no_more(machine: Machine) -> None:
    assert machine.record["version"] == OLD
    assert machine.record["healthy"] == ["blog-www", "shop-www"]
    assert machine.audit == []
    assert not machine.exists(TOLD)
    assert not machine.exists("asked")


def test_a_boot_of_the_same_version_decides_nothing(machine: Machine) -> None:
    machine.answers("shop-www", "502")
    machine.boot()

    machine.run()

    assert machine.record["version"] == OLD
    assert machine.audit == []
    assert machine.started == []


def test_a_healthy_update_is_noted(machine: Machine) -> None:
    machine.update()
    machine.answers("shop-www", "502")
    # Apps need a while.
    machine.write("meanwhile", f"echo 200 >{machine.root}/answers/shop-www.example.org")

    machine.run()

    assert machine.record["version"] == NEW
    assert machine.record["said"] == f"{NEW} is healthy"
    assert machine.audit == [("ok", f"{NEW} is healthy")]
    assert "reboot" not in machine.started
    assert not machine.exists(HOLD)
    assert not machine.exists(TOLD)


def test_no_other_update_is_taken_while_one_is_tried(machine: Machine) -> None:
    machine.update()
    machine.write("meanwhile", f"cp {machine.root}/{HOLD} {machine.root}/held")

    machine.run()

    assert (machine.root / "held").read_text() == "[updates]\nenabled = false\n"
    assert not machine.exists(HOLD)
    assert machine.started.count("try-restart zincati.service") == 2


def test_an_unhealthy_update_is_rolled_back_once_told_and_held(machine: Machine) -> None:
    machine.update()
    machine.answers("shop-www", "502")
    machine.run()
    assert machine.started[-2:] == ["rpm-ostree rollback", "reboot"]
    assert machine.next == OLD

    machine.boot()
    machine.run()

    why = "shop-www: the health path answers 502 through the front door"
    assert machine.record["version"] == OLD
    assert machine.record["failed"] == [{"version": NEW}]
    assert machine.audit == [("failed", f"went back from {NEW} to {OLD}: {why} ")]
    title = f"the operating system went back from {NEW} to {OLD}"
    assert machine.told["title"] == title
    assert (machine.told["key"], machine.told["state"]) == ("os", f"{NEW} to {OLD}")
    assert machine.exists(HOLD)
    assert not any(one.startswith("rpm-ostree") for one in machine.started)

    # The app stays unhealthy: there is nothing to go back to, and it is not tried.
    (machine.root / TOLD).unlink()
    machine.boot()
    machine.run(looks=2)
    assert not any(one.startswith("rpm-ostree") or one == "reboot" for one in machine.started)
    assert not machine.exists(TOLD)
    assert machine.exists(HOLD)


def test_the_decision_waits_until_the_time_is_over(machine: Machine) -> None:
    machine.update()
    machine.answers("shop-www", "502")

    machine.run()

    up = float((machine.root / "proc/uptime").read_text())
    assert PATIENCE <= up - UP < PATIENCE + 10


@pytest.mark.parametrize(
    ("offered", "held"),
    [((), True), ((NEW,), True), ((NEW, NEXT), False), ((OLD,), True)],
)
def test_the_hold_ends_when_a_newer_version_is_offered(
    machine: Machine, offered: tuple[str, ...], *, held: bool
) -> None:
    failed(machine)
    machine.offers(*offered)

    machine.run()

    assert machine.exists(HOLD) == held
    asked = (machine.root / "asked").read_text().splitlines()
    query = "basearch=x86_64&stream=stable&rollout_wariness=1.000000"
    assert asked == [f"{SERVER}/v1/graph?{query}"]


def test_a_newer_version_that_is_not_reachable_yet_ends_no_hold(machine: Machine) -> None:
    failed(machine)
    machine.offers(NEW, NEXT)
    graph = json.loads((machine.root / "graph").read_text())
    machine.write("graph", json.dumps(graph | {"edges": [[0, 1], [1, 2]]}))

    machine.run()

    assert machine.exists(HOLD)


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", '{"nodes": [], "edges": [[0, 1]]}'])
def test_without_an_answer_the_hold_stays(machine: Machine, answer: str) -> None:
    failed(machine)
    machine.write("graph", answer)

    machine.run(looks=7)

    assert machine.exists(HOLD)
    assert len((machine.root / "asked").read_text().splitlines()) == 2


def test_the_last_configured_server_is_asked(machine: Machine) -> None:
    failed(machine)
    own = "http://192.0.2.9:8080/mine/"
    machine.write("etc/zincati/config.d/60-own.toml", f'[cincinnati]\nbase_url = "{own}"\n')
    machine.write("run/zincati/config.d/40-early.toml", '[cincinnati]\nbase_url = "http://early"\n')

    machine.run()

    assert (machine.root / "asked").read_text().startswith(f"{own}v1/graph?")


def test_a_newer_version_is_tried_and_ends_the_hold(machine: Machine) -> None:
    failed(machine)
    machine.answers("shop-www", "200")
    machine.run(looks=1)
    machine.update(NEXT)

    machine.run()

    assert machine.record["version"] == NEXT
    assert machine.audit[-1] == ("ok", f"{NEXT} is healthy")
    assert not machine.exists(HOLD)


def test_a_second_version_that_fails_is_held_too(machine: Machine) -> None:
    failed(machine)
    machine.update(NEXT)
    machine.run()
    machine.boot()
    machine.offers(NEW, NEXT)

    machine.run()

    assert machine.runs == OLD
    assert machine.record["failed"] == [{"version": NEW}, {"version": NEXT}]
    assert machine.exists(HOLD)


def test_a_version_that_failed_and_came_again_is_never_rolled_back_again(machine: Machine) -> None:
    failed(machine)
    machine.update(NEW)

    machine.run()

    assert "rpm-ostree rollback" not in machine.started
    assert "reboot" not in machine.started
    assert machine.record["version"] == NEW
    assert "stays, since it was rolled back before" in machine.record["said"]
    assert machine.told["state"] == f"unhealthy {NEW}"
    assert "start --no-block corefab-notify.service" in machine.started


def test_a_version_that_failed_and_is_healthy_now_is_forgotten_as_failed(machine: Machine) -> None:
    failed(machine)
    machine.answers("shop-www", "200")
    machine.update(NEW)

    machine.run()

    assert machine.record["failed"] == []
    assert machine.audit[-1] == ("ok", f"{NEW} is healthy")


@pytest.mark.parametrize("others", [(), ("44.20291215.3.0",)])
def test_without_the_version_before_nothing_is_rolled_back(
    machine: Machine, others: tuple[str, ...]
) -> None:
    machine.update()
    machine.deploy(NEW, *others)
    machine.answers("shop-www", "502")

    machine.run()

    said = f"{NEW} is unhealthy and stays, since {OLD} is not there to go back to"
    assert machine.record["said"].startswith(said)
    assert machine.said.startswith(said)
    assert machine.audit[0][0] == "failed"
    assert machine.told["title"] == f"the operating system {said}"
    assert "rpm-ostree rollback" not in machine.started
    assert "reboot" not in machine.started


def test_what_is_staged_is_dropped_before_the_rollback(machine: Machine) -> None:
    machine.update()
    machine.deploy(NEW, OLD, staged=NEXT)
    machine.write("run/ostree/staged-deployment", "")
    machine.answers("shop-www", "502")

    machine.run()

    assert [one for one in machine.started if "ostree" in one] == [
        "rpm-ostree cleanup --pending",
        "rpm-ostree status --json",
        "rpm-ostree rollback",
    ]


def test_an_app_that_was_unhealthy_before_counts_for_nothing(machine: Machine) -> None:
    machine.answers("shop-www", "502")
    machine.run(looks=1)
    machine.update()

    machine.run()

    assert machine.audit == [("ok", f"{NEW} is healthy")]


def test_what_is_seen_while_the_machine_stops_is_not_noted(machine: Machine) -> None:
    machine.answers("shop-www", "502")
    machine.write("running", "stopping\n")

    machine.run(looks=1)

    assert machine.record["healthy"] == ["blog-www", "shop-www"]


@pytest.mark.parametrize("case", ["maintenance", "masked", "stopped", "removed", "proxy"])
def test_what_an_operator_took_away_counts_for_nothing(machine: Machine, case: str) -> None:
    machine.update()
    machine.answers("shop-www", "503")
    if case == "maintenance":
        machine.write("var/lib/shop-www/maintenance", "")
    elif case == "masked":
        machine.unit("shop-www-blue.service", LoadState="masked", ActiveState="inactive")
    elif case == "stopped":
        machine.unit("shop-www-blue.service", ActiveState="inactive")
    elif case == "proxy":
        machine.serve("corefab-proxy")
        machine.unit("shop-www-blue.service")
        machine.unit("corefab-proxy-blue.service", ActiveState="inactive")
        route = f"{machine.root}/etc/corefab/routes/shop-www.caddy"
        machine.write(f"var/lib/shop-www/current/root{route}", "")
    else:
        (machine.root / "var/lib/shop-www/current").unlink()

    machine.run()

    assert machine.audit == [("ok", f"{NEW} is healthy")]


@pytest.mark.parametrize(
    "properties",
    [
        {"ActiveState": "inactive", "ActiveEnterTimestampMonotonic": 0},
        {"ActiveState": "failed", "Result": "exit-code"},
        {"ActiveState": "activating", "Result": "exit-code"},
        {},
    ],
)
def test_an_app_that_does_not_start_counts(machine: Machine, properties: dict[str, object]) -> None:
    machine.update()
    machine.answers("shop-www", "503")
    machine.unit("shop-www-blue.service", **properties)

    machine.run()

    assert machine.next == OLD


def test_without_an_address_nothing_is_decided(machine: Machine) -> None:
    machine.update()
    machine.write("addresses", json.dumps([LOOPBACK, CARD]))
    machine.write("later", json.dumps([LOOPBACK, ADDRESS]))
    copy = f"cp {machine.root}/later {machine.root}/addresses"
    machine.write("meanwhile", f"[ ${{up%%.*}} -lt {UP + PATIENCE * 2} ] || {copy}")

    machine.run()

    assert machine.said.count("this machine has no address") == 1
    assert machine.audit == [("ok", f"{NEW} is healthy")]


def test_a_system_that_knows_no_network_card_is_rolled_back(machine: Machine) -> None:
    machine.update()
    machine.write("addresses", json.dumps([LOOPBACK]))

    machine.run()

    assert machine.next == OLD


def test_a_power_cut_before_the_rollback_leads_to_a_second_try_and_no_third(
    machine: Machine,
) -> None:
    machine.update()
    machine.answers("shop-www", "502")
    machine.write("broken", "")
    for tries in (1, 2):
        machine.run()
        assert machine.record["back"]["tries"] == tries
        assert "reboot" not in machine.started
        machine.boot()
        assert machine.runs == NEW

    machine.run()

    assert "stays, since rolling back failed twice" in machine.record["said"]
    assert "reboot" not in machine.started
    assert "back" not in machine.record


def test_a_script_that_ended_between_rollback_and_restart_only_restarts(machine: Machine) -> None:
    machine.update()
    machine.answers("shop-www", "502")
    machine.run()
    machine.write("started", "")

    machine.run()

    assert machine.next == OLD
    assert machine.started[-2:] == ["rpm-ostree status --json", "reboot"]


def test_a_power_cut_while_an_update_is_tried_has_it_tried_again(machine: Machine) -> None:
    machine.update()
    before = machine.record
    machine.write(RECORD, json.dumps(before | {"trial": NEW, "said": "tried"}))

    machine.run()

    assert machine.audit == [("ok", f"{NEW} is healthy")]
    assert "trial" not in machine.record


def test_an_update_that_is_well_after_a_power_cut_stays(machine: Machine) -> None:
    machine.update()
    machine.write(RECORD, json.dumps(machine.record | {"back": {"version": NEW, "tries": 1}}))

    machine.run()

    assert machine.record["version"] == NEW
    assert "back" not in machine.record
    assert machine.audit == [("ok", f"{NEW} is healthy")]


def test_who_goes_back_by_hand_is_left_alone(machine: Machine) -> None:
    machine.update()
    machine.run()
    machine.deploy(OLD, NEW)
    machine.boot()
    machine.answers("shop-www", "502")

    machine.run()

    assert machine.record["version"] == OLD
    assert machine.started == []
    assert len(machine.audit) == 1


@pytest.mark.parametrize("found", ["", "[]", '{"version": '])
def test_a_damaged_record_counts_as_a_first_boot(machine: Machine, found: str) -> None:
    machine.update()
    machine.write(RECORD, found)
    machine.answers("shop-www", "502")

    machine.run(looks=1)

    assert machine.record["version"] == NEW
    assert machine.record["healthy"] == ["blog-www"]
    assert machine.started == []


def test_what_an_app_answers_is_bounded_and_visible(machine: Machine) -> None:
    machine.update()
    machine.answers("shop-www", "\x1b[2J\n" * 1000)
    machine.run()

    why = machine.record["back"]["why"]

    assert len(why) < 400
    assert why.isprintable()


def test_a_machine_that_notifies_nobody_goes_back_as_well(machine: Machine) -> None:
    (machine.root / "etc/corefab/notify/settings.json").unlink()
    (machine.root / "etc/corefab/notify").rmdir()

    failed(machine)
    machine.run()

    assert machine.record["failed"] == [{"version": NEW}]
    assert not machine.exists("var/lib/corefab/notify")


def failed(machine: Machine) -> None:
    """Have the new version fail, and the machine back on the old one."""
    machine.update()
    machine.answers("shop-www", "502")
    machine.run()
    machine.boot()
    before = replace(machine)
    before.run()
    (machine.root / "asked").unlink(missing_ok=True)
    machine.boot()
