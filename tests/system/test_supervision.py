"""The two layers of defence, on a node: the supervisor for workers, systemd for the supervisor."""

import json
import threading
from collections.abc import Iterator

import pytest

from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project

pytestmark = pytest.mark.node

# The usual policy with shorter times: WatchdogSec > 1.5 * (grace + 1.25 * backoff_max + start).
QUICK = {
    "ENV_SUPERVISE_SET": "interval=1 grace=1 backoff_max=1 start=4",
    "WATCHDOG_SECONDS": "10",
}
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def quick(deployed: Project) -> Iterator[Project]:
    """Deploy with a quick policy, and the usual one again afterwards."""
    environment = deployed.folder / ".env"
    usual = environment.read_text()
    environment.write_text(usual + "".join(f'{key}="{value}"\n' for key, value in QUICK.items()))
    # The example sets the watchdog too; a key may be there once only.
    lines = environment.read_text().splitlines()
    environment.write_text(
        "\n".join(line for line in lines if line != "WATCHDOG_SECONDS=60") + "\n"
    )
    deployed.must("deploy")
    yield deployed
    environment.write_text(usual)
    deployed.must("deploy")


def status(project: Project) -> dict[str, object]:
    return dict(json.loads(project.fab("status", "--json").out))


def until(project: Project, what: str, script: str) -> None:
    """Ask the node until a script succeeds."""
    project.ssh(f"timeout {PATIENCE_SECONDS} sh -c 'until {script}; do sleep 0.2; done' || exit 9")
    assert what


def test_a_hung_worker_is_restarted_and_the_other_fails_no_request(quick: Project) -> None:
    failed: list[str] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            try:
                code, _ = get(quick.node.address, 443, NAME, authority(quick))
            except OSError as error:
                failed.append(repr(error))
            else:
                if code != 200:
                    failed.append(str(code))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        said = quick.must("rehearsal-fault", "hang", "--worker", "jobs")
    finally:
        stop.set()
        visitor.join()

    assert "hung: no heartbeat" in said
    assert failed == []


def test_a_worker_that_died_is_told_of_in_status(quick: Project) -> None:
    quick.must("rehearsal-fault", "crash", "--worker", "jobs")

    workers = status(quick)["workers"]

    assert isinstance(workers, dict)
    jobs = next(worker for worker in workers["workers"] if worker["name"] == "jobs")
    assert jobs["restarts"] >= 1
    assert "ended with exit code 3" in jobs["reasons"][-1]


def test_a_hung_supervisor_is_ended_by_systemd_and_the_app_comes_back(quick: Project) -> None:
    app = quick.container()

    quick.ssh(f"kill -STOP $(podman inspect {app} --format '{{{{.State.Pid}}}}')")
    until(quick, "a restart", f"[ $(systemctl show -P NRestarts {app}) -ge 1 ]")
    until(quick, "active again", f"systemctl -q is-active {app}")

    log = f"journalctl --sync; journalctl -q -u {app} -o cat -n 200"
    assert "watchdog" in quick.ssh(log).lower()
    assert get(quick.node.address, 443, NAME, authority(quick))[0] == 200


@pytest.mark.slow
def test_a_crash_loop_ends_in_the_units_back_off_and_status_says_why(quick: Project) -> None:
    app = quick.container()
    folder = f"/etc/containers/systemd/{app}.container.d"
    quick.ssh(
        f"mkdir -p {folder}; "
        f"printf '[Container]\\nEnvironment=FAULT=web:crash\\n' >{folder}/fault.conf; "
        f"systemctl daemon-reload; systemctl restart --no-block {app}"
    )
    until(quick, "back-off", f"[ $(systemctl show -P NRestarts {app}) -ge 2 ]")
    until(quick, "waiting", f"[ $(systemctl show -P SubState {app}) = auto-restart ]")

    said = status(quick)

    quick.ssh(
        f"rm -r {folder}; systemctl daemon-reload; "
        f"systemctl reset-failed {app}; systemctl restart {app}"
    )
    assert "auto-restart" in str(said["unit"])
    assert "exit code 75" in str(said["unit"])
    assert said["health"] != "healthy"


@pytest.mark.slow
def test_what_the_lint_refuses_is_really_killed_in_a_loop(quick: Project) -> None:
    app = quick.container()
    folder = f"/etc/containers/systemd/{app}.container.d"
    trap = "[Container]\nNotify=false\n[Service]\nWatchdogSec=3\n"
    overlays = quick.folder / "butane/overlays"
    (overlays / "trap.conf").write_text(trap)
    (overlays / "trap.bu").write_text(
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n"
        f"    - path: {folder}/trap.conf\n      contents: {{local: trap.conf}}\n"
    )

    checked, refused = quick.fab("check"), quick.fab("deploy")
    quick.ssh(
        f"mkdir -p {folder}; printf '{trap}' >{folder}/trap.conf; "
        f"systemctl daemon-reload; systemctl reset-failed {app}; systemctl restart {app}"
    )
    until(quick, "killed twice", f"[ $(systemctl show -P NRestarts {app}) -ge 2 ]")
    result = quick.ssh(f"journalctl -q -u {app} -o cat -n 100")

    for file in overlays.glob("trap.*"):
        file.unlink()
    quick.ssh(
        f"rm -r {folder}; systemctl daemon-reload; "
        f"systemctl reset-failed {app}; systemctl restart {app}"
    )
    assert (checked.code, refused.code) == (1, 1)
    assert "[watchdog-unfed]" in checked.out
    assert "[watchdog-unfed]" in refused.out
    assert result.count("Failed with result 'watchdog'") >= 2
