"""The switch: no visitor notices a deploy, a failed one, or somebody who flushes the ruleset."""

import json
import os
import re
import signal

import pytest

from deploy.node.command import Command
from deploy.node.login import connect
from deploy.node.target import Target
from rehearsal import lifecycle
from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project, write_settings
from tests.system.test_faults import UNDER_WAY, release_of, stopped_after
from tests.system.visitors import Visits

pytestmark = pytest.mark.node


def digest_of(project: Project) -> str:
    return project.ssh(f"podman inspect --format '{{{{.Image}}}}' {project.container()}").strip()


@pytest.mark.core
def test_no_visitor_notices_deploys_and_rollbacks(serving: Project, visits: Visits) -> None:
    before = serving.container()
    first = release_of(serving)

    serving.must("deploy", ENV_GREETING="other")

    assert serving.container() != before
    said = serving.must("rollback")
    assert serving.container() == before
    assert first.removeprefix("releases/") in said
    app = serving.settings["PROJECT"] + "-www"
    written = json.loads(serving.ssh(f"cat /var/lib/{app}/current/manifest.json"))
    assert {"stage", "start", "check", "move", "prove"} == written["seconds"].keys()
    serving.must("deploy")


META = """
ip netns add meta
ip link add meta0 type veth peer name inside netns meta
ip addr add 169.254.169.1/24 dev meta0
ip link set meta0 up
ip -n meta addr add 169.254.169.254/24 dev inside
ip -n meta link set inside up
ip -n meta route add default via 169.254.169.1
systemd-run -q --unit=meta ip netns exec meta socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:true
until curl -s -o /dev/null telnet://169.254.169.254:80 </dev/null; do sleep 0.1; done
"""


def connects(project: Project, address: str, port: int) -> bool:
    """Tell whether the app's container reaches an address."""
    call = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
    code = project.ssh(
        f'podman exec {project.container()} python3 -c "{call}" 2>/dev/null && echo yes || echo no'
    )
    return code.strip() == "yes"


def test_apps_of_a_node_reach_each_other_by_public_ports_only_and_no_link_local_service(
    serving: Project, staging: Project
) -> None:
    other = staging.container("staging")
    network = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}"
    four, six = serving.ssh(f"podman inspect --format '{network}' {other}").split()
    listed = serving.ssh(f"podman inspect --format '{{{{json .Config.Env}}}}' {other}")
    environment = dict(line.split("=", 1) for line in json.loads(listed))
    inside, public = (int(environment[name]) for name in ("HTTPS_PORT", "PUBLIC_HTTPS_PORT"))

    assert connects(serving, serving.node.address, public)
    assert connects(serving, serving.node.address, 443), "it reaches itself by the door"
    assert not connects(serving, four, inside)
    assert not connects(serving, six, inside)

    serving.ssh(META)
    try:
        assert not connects(serving, "169.254.169.254", 80)
    finally:
        serving.ssh("systemctl stop meta; ip netns del meta")


@pytest.mark.core
def test_a_rollback_brings_files_credentials_and_units_back(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    page = serving.folder / "container/sample/files/index.html"
    usual, environment = page.read_text(), serving.folder / ".env"
    settings = environment.read_text()
    first = release_of(serving).removeprefix("releases/")
    look = f"cd /var/lib/{app}/current; ls credentials; cat files/index.html; sha256sum tls/*"
    units = f"cat /etc/containers/systemd/{app}* /etc/corefab/firewall.d/{app}.nft"
    before, units_before = serving.ssh(look), serving.ssh(units)
    page.write_text("<p>Cake</p>")
    environment.write_text(settings + "SECRET_SPARE=spare\nENV_SPARE=1\n")
    serving.must("deploy")
    serving.must("cert-rotate-https")

    serving.must("rollback", "--to", first)

    assert serving.ssh(look) == before
    assert serving.ssh(units) == units_before
    page.write_text(usual)
    environment.write_text(settings)
    serving.must("deploy")


def test_a_release_that_failed_is_not_gone_back_to(serving: Project, visits: Visits) -> None:
    failed = serving.fab("deploy", ENV_FAULT="web:crash", HEALTH_TIMEOUT_SECONDS="5")
    release = re.findall(r"fab logs --release (\S+?)`", failed.out)[0]

    said = serving.fab("rollback", "--to", release)

    assert failed.code == said.code == 1
    assert "failed, and cannot be rolled back to" in said.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "seconds", "says"),
    [
        ("/usr/bin/python3 -c 'import sys; sys.exit(\"no such column\")'", "60", "no such column"),
        ("/usr/bin/python3 -c 'import time; time.sleep(60)'", "2", "did not end within 2 s"),
    ],
)
def test_a_migration_that_fails_or_hangs_leaves_the_door_where_it_is(
    serving: Project, visits: Visits, command: str, seconds: str, says: str
) -> None:
    before, container = digest_of(serving), serving.container()

    changed = {"ENV_GREETING": "m", "BEFORE_SWITCH": command, "BEFORE_SWITCH_SECONDS": seconds}
    said = serving.fab("deploy", **changed)

    assert said.code == 1
    assert says in said.out
    assert "front door moved" not in said.out
    assert (digest_of(serving), serving.container()) == (before, container)


def test_of_what_before_switch_says_the_end_is_kept(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    flood = (
        "import os; [os.write(1, b'x' * 2**20) for _ in range(200)]; print('the end', flush=True)"
    )
    pins = serving.folder / "certs/known_hosts"
    target = Target(serving.node.address, None, "core", serving.folder / "id", pins)
    slot = serving.container().removeprefix(f"{app}-")
    words = (app, slot, "60", "/usr/bin/python3", "-c", flood)

    with connect(target, None) as remote:
        said = remote.run(Command("before-switch", words))

    assert said.code == 0
    assert said.stdout.endswith("the end\n")
    assert len(said.stdout) <= 70_000


def test_a_process_in_the_container_has_no_core_dump(serving: Project) -> None:
    found = serving.ssh(
        f"pid=$(podman inspect --format '{{{{.State.Pid}}}}' {serving.container()}); "
        "grep 'core file' /proc/$pid/limits"
    )

    assert found.split()[4:6] == ["0", "0"]


@pytest.mark.slow
def test_a_migration_runs_once_in_the_new_release_before_the_door_moves(serving: Project) -> None:
    script = (
        'import os; print("migrated", os.environ["GREETING"]); open("/data/ran", "a").write("x")'
    )

    said = serving.must(
        "deploy", ENV_GREETING="new", BEFORE_SWITCH=f"/usr/bin/python3 -c '{script}'"
    )

    app = serving.settings["PROJECT"] + "-www"
    assert serving.ssh(f"cat /var/lib/{app}/data/ran; rm /var/lib/{app}/data/ran") == "x"
    assert said.index("migrated new") < said.index("front door moved")
    serving.must("deploy")


@pytest.mark.slow
def test_a_release_that_dies_after_a_while_never_meets_a_visitor(
    serving: Project, visits: Visits
) -> None:
    before = release_of(serving)

    said = serving.fab("deploy", SETTLE_SECONDS="6", ENV_FAULT="web:crash=3")

    assert said.code == 1
    assert "front door moved" not in said.out
    assert release_of(serving) == before


@pytest.mark.slow
@pytest.mark.parametrize("line", UNDER_WAY)
def test_a_kill_at_any_step_is_noticed_by_no_visitor(
    serving: Project, visits: Visits, line: str
) -> None:
    stopped_after(serving, line, signal.SIGKILL)

    serving.must("deploy")


def test_the_door_survives_whoever_flushes_or_reloads(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    wait = f"until nft list table inet {app}-door >/dev/null 2>&1; do sleep 0.05; done"
    for how in (
        "nft flush ruleset",
        f"nft delete table inet {app}-door",
        "systemctl restart nftables",
        "systemctl start nftables; systemctl reload nftables",
        "podman network reload --all >/dev/null",
        "nft delete table inet netavark",
    ):
        serving.ssh(f"{how}; timeout 50 bash -c '{wait}'")

        assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200, how
    serving.ssh("systemctl restart corefab-firewall; podman network reload --all")


def test_the_firewall_comes_back_when_nftables_is_reloaded(serving: Project) -> None:
    serving.ssh("systemctl start nftables; systemctl reload nftables")

    assert "policy drop" in serving.ssh("nft list table inet corefab")


@pytest.mark.parametrize("how", ["nft flush ruleset", "nft delete table inet corefab"])
def test_the_firewall_comes_back_whoever_flushes_the_ruleset(serving: Project, how: str) -> None:
    wait = "until nft list table inet corefab >/dev/null 2>&1; do sleep 0.05; done"

    serving.ssh(f"{how}; timeout 50 bash -c '{wait}'")

    assert "policy drop" in serving.ssh("nft list table inet corefab")

    ports = serving.ssh("nft list set inet corefab tcp_ports")
    assert all(f"{port}" in ports for port in (22, 443))
    serving.ssh("podman network reload --all")


def test_a_bad_file_of_one_app_costs_only_that_app_its_ports(serving: Project) -> None:
    bad = "/etc/corefab/firewall.d/aa-bad.nft"

    serving.ssh(f"echo nonsense >{bad}; ! systemctl restart corefab-firewall")

    assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200
    assert "policy drop" in serving.ssh("nft list table inet corefab")
    serving.ssh(f"rm {bad}; systemctl restart corefab-firewall")


@pytest.mark.parametrize("family", ["address", "address6"])
def test_the_node_its_containers_and_the_app_itself_come_through_the_door(
    serving: Project, family: str
) -> None:
    address = getattr(lifecycle.find(serving.settings["PROJECT"]), family)
    url = f"https://{f'[{address}]' if ':' in address else address}/health"
    ask = (
        "-c 'import ssl, urllib.request as r; c = ssl._create_unverified_context(); "
        f'print(r.urlopen("{url}", context=c, timeout=20).status)\''
    )
    container = serving.container()
    app, _, slot = container.rpartition("-")
    run = f"podman run --rm --entrypoint /usr/bin/python3 --network {app} localhost/{app}:{slot}"

    assert serving.ssh(f"curl -sko /dev/null -w '%{{http_code}}' {url}") == "200"
    assert serving.ssh(f"podman exec {container} /usr/bin/python3 {ask}").strip() == "200"
    assert serving.ssh(f"{run} {ask}").strip() == "200"


def test_a_container_of_another_network_comes_through_the_door(serving: Project) -> None:
    app, _, slot = serving.container().rpartition("-")
    ask = (
        "-c 'import ssl, urllib.request as r; c = ssl._create_unverified_context(); "
        f'print(r.urlopen("https://{serving.node.address}/", context=c, timeout=20).status)\''
    )

    said = serving.ssh(
        f"podman run --rm --entrypoint /usr/bin/python3 localhost/{app}:{slot} {ask}"
    )

    assert said.strip() == "200"


@pytest.mark.slow
def test_after_a_reboot_in_the_middle_what_served_serves_alone(serving: Project) -> None:
    before = release_of(serving)
    with serving.start("deploy", ENV_GREETING="rebooted") as process:
        assert process.stdout is not None
        for text in process.stdout:
            if " started" in text:
                break
        serving.reboot()
        process.stdout.read()

    assert process.returncode != 0
    app = serving.settings["PROJECT"] + "-www"
    active = f"systemctl is-active {app}-blue {app}-green | grep -c ^active"
    until = f"until [ $({active}) = 1 ]; do sleep 0.2; done"
    serving.ssh(f"timeout 30 bash -c '{until}'")
    assert release_of(serving) == before
    assert "nothing to do" in serving.must("deploy")


def test_where_no_two_may_run_the_door_holds_and_nobody_is_refused(
    serving: Project, visits: Visits
) -> None:
    app = serving.settings["PROJECT"] + "-www"
    watch = (
        "while sleep 0.05; do "
        f"[ $(podman ps -q --filter name='{app}-(blue|green)' | wc -l) -lt 2 ] || touch /run/two; "
        "done"
    )
    serving.ssh(f'rm -f /run/two; systemd-run --quiet --unit=watch bash -c "{watch}"')

    said = serving.must("deploy", SWITCH="restart", ENV_GREETING="alone")

    serving.ssh("systemctl stop watch; [ ! -e /run/two ]")
    assert re.search(r"the front door held for \d+ ms", said)
    serving.must("deploy")


@pytest.mark.slow
def test_where_no_two_may_run_a_failure_starts_the_old_one_again(
    serving: Project, visits: Visits
) -> None:
    before, container = release_of(serving), serving.container()

    said = serving.fab(
        "deploy", SWITCH="restart", ENV_FAULT="web:crash", HEALTH_TIMEOUT_SECONDS="3"
    )

    assert said.code == 1
    assert "serves again, proven over HTTPS" in said.out
    assert (release_of(serving), serving.container()) == (before, container)


@pytest.mark.slow
def test_where_no_two_may_run_the_node_itself_puts_back_what_a_kill_left(
    serving: Project, visits: Visits
) -> None:
    before, container = release_of(serving), serving.container()

    with serving.start(
        "deploy", SWITCH="restart", SETTLE_SECONDS="30", ENV_GREETING="killed alone"
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if " started" in text:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()

    last = "tail -n 1 /var/lib/corefab/audit.log"
    until = f"until {last} | grep -q 'connection was lost'; do sleep 0.1; done"
    serving.ssh(f'timeout 40 bash -c "{until}"')
    assert (release_of(serving), serving.container()) == (before, container)


def test_a_slot_that_a_cut_connection_left_running_is_stopped(serving: Project) -> None:
    app, _, slot = serving.container().rpartition("-")
    idle = "green" if slot == "blue" else "blue"
    serving.ssh(
        f"cd /var/lib/{app}; old=$(ls -d releases/*/ran | grep -v $(readlink current) | tail -1); "
        f"old=${{old%/ran}}; ln -sfnT $old {idle}; ln -sfnT $PWD/$old /run/corefab/{app}.trial; "
        f"podman tag localhost/{app}:${{old#*/}} localhost/{app}:{idle}; "
        f"systemctl start {app}-{idle}; rm /run/corefab/{app}.trial"
    )
    planned = serving.fab("plan", "--exit-code")

    said = serving.must("deploy")

    assert planned.code == 2
    assert f"slot {idle}, which no longer serves, will be drained" in planned.out
    assert f"slot {idle}, which no longer serves, drained and stopped" in said
    assert serving.ssh(f"systemctl is-active {app}-{idle} || true").strip() == "inactive"


def test_addresses_that_the_node_uses_already_are_refused(serving: Project) -> None:
    serving.ssh("podman network create --subnet 10.77.0.0/24 other")
    settings = {"NAME": "third", "CERT_NAMES": "third.example.org", "SUBNET4": "10.77.0.16/28"}
    example = (serving.folder / ".env").read_text()
    write_settings(serving.folder / ".env.third", example, settings)
    serving.must("cert-issue", "--name", "third")

    said = serving.fab("deploy", "--first", "--name", "third")

    serving.ssh("podman network rm other")
    (serving.folder / ".env.third").unlink()
    assert said.code == 1
    assert "10.77.0.16/28 overlaps 10.77.0.0/24 of podman network other" in said.out
