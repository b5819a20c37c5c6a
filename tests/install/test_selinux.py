"""A machine that enforces SELinux, limits memory and has a TPM, as a workstation's kernel may not.

What corefab does is permitted, its files are labelled, its credentials are sealed with the TPM.
"""

import time
from collections.abc import Iterator

import pytest

from rehearsal import stock
from tests.install.virtual import console, on, seals, start, virtual_project
from tests.system.page import get
from tests.system.project import Project, write_settings

pytestmark = pytest.mark.selinux

SYSCTL = "/etc/sysctl.d/90-corefab.conf"
# What a container has mounted carries the label for containers; podman's own storage is podman's.
LABELS = """
home=/var/lib/APP
mounted=("$home"/releases/*/tls "$home"/releases/*/files "$home/data")
prune=()
for path in "${mounted[@]}"; do prune+=(-path "$path" -prune -o); done
find /etc /var/home /var/roothome /var/lib/corefab "$home" "${prune[@]}" -print0 \\
  | xargs -0r matchpathcon -V | grep -v ' verified\\.$' || true
find "${mounted[@]}" ! -context '*:container_file_t:*' -printf '%p is %Z, not for containers\\n'
"""
# Eats memory in an app's container and cannot be killed for it: the kernel ends the app's own.
EATER = """
podman exec -d UNIT /usr/bin/python3 -c '
import time
while open("/proc/self/oom_score_adj").read().strip() != "-1000":
    time.sleep(0.1)
eaten = []
while True:
    eaten.append(b"x" * (1 << 20))
' eats-memory
until pid=$(pgrep -f 'eats-memory$'); do sleep 0.2; done
echo -1000 >"/proc/$pid/oom_score_adj"
"""
DENIALS = "ausearch --input-logs -m AVC,USER_AVC,SELINUX_ERR,USER_SELINUX_ERR -i 2>&1 || true"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("selinux")
    with virtual_project(folder, "selinux", 2239, HTTP_PORT="") as made:
        base = stock.tree(lambda _: None, enforcing=True)
        words = ("security=selinux", "audit=1", "audit_backlog_limit=8192")
        # The third port is for a second app.
        said = start(made, base, *words, uefi=True, HTTP_PORT="2241")
        assert said.code == 0, said.out + console(made)[-3000:]
        yield made


def test_an_app_is_deployed_and_served_where_selinux_enforces(machine: Project) -> None:
    on(machine, "deploy", "--first")
    on(machine, "deploy", ENV_GREETING="again")
    on(machine, "cert-rotate-https")
    machine.ssh(f"echo 'net.ipv4.tcp_syncookies = 0' >>{SYSCTL}; echo other >/etc/hostname")
    on(machine, "converge", "--yes")
    reboot(machine)

    assert machine.ssh("getenforce").strip() == "Enforcing"
    await_page(machine)
    unit = machine.container()
    confined = machine.ssh(
        f"ps -o label= -p $(podman inspect --format '{{{{.State.Pid}}}}' {unit})"
    )
    assert ":container_t:s0:c" in confined
    assert "syncookies = 0" not in machine.ssh(f"cat {SYSCTL}")


def test_a_tpm_seals_and_where_it_is_cleared_fab_says_what_to_type(machine: Project) -> None:
    # They opened after the restart of the test before.
    assert seals(machine) == {("host+tpm2", 1, True)}

    machine.ssh("tpm2_clear --tcti device:/dev/tpmrm0")
    unit = machine.container()
    machine.ssh(
        f"systemctl restart --no-block {unit}\n"
        f"until journalctl -q -u {unit} -o cat --grep 243/CREDENTIALS; do sleep 1; done",
        seconds=machine.seconds,
    )

    assert seals(machine) == {("host+tpm2", 1, False)}
    said = machine.fab("-H", machine.login, "status")
    assert said.code == 1
    assert "cert_pass cannot be decrypted on this node; run `fab creds-seal`" in said.out
    on(machine, "creds-seal")
    assert seals(machine) == {("host+tpm2", 2, True)}
    await_page(machine)


def test_nothing_was_denied(machine: Project) -> None:
    assert machine.ssh(DENIALS).strip() == "<no matches>"


def test_every_file_has_the_label_of_its_path(machine: Project) -> None:
    app = f"{machine.settings['PROJECT']}-www"

    assert machine.ssh(LABELS.replace("APP", app)) == ""


def test_an_app_that_eats_memory_is_restarted_alone(machine: Project) -> None:
    example = (machine.folder / ".env").read_text()
    port = str(int(machine.settings["HTTPS_PORT"]) + 1)
    other = {"NAME": "other", "HTTPS_PORT": port, "CERT_NAMES": "other.example.org"}
    write_settings(machine.folder / ".env.other", example, other)
    on(machine, "cert-issue", "--name", "other")
    on(machine, "deploy", "--first", "--name", "other")
    before, neighbour = boot_of(machine), invocation(machine, machine.container("other"))
    unit = machine.container()
    started = invocation(machine, unit)
    assert machine.ssh(f"systemctl show -P MemoryMax {unit}").strip() == str(512 << 20)

    machine.ssh(EATER.replace("UNIT", unit))
    machine.ssh(
        f"until systemctl -q is-active {unit} "
        f'&& [ "$(systemctl show -P InvocationID {unit})" != {started} ]; do sleep 1; done',
        seconds=machine.seconds,
    )

    await_page(machine)
    assert "Memory cgroup out of memory" in machine.ssh("journalctl -k -o cat")
    assert invocation(machine, machine.container("other")) == neighbour
    await_page(machine, "other.example.org", int(port))
    assert boot_of(machine) == before


def invocation(project: Project, unit: str) -> str:
    """Name the present run of a unit."""
    return project.ssh(f"systemctl show -P InvocationID {unit}").strip()


def reboot(project: Project) -> None:
    """Restart the machine and wait until another boot lets us in."""
    before = boot_of(project)
    project.ssh("systemctl --no-block reboot")
    deadline = time.monotonic() + project.seconds
    while boot_of(project) in {"", before}:
        assert time.monotonic() < deadline, console(project)[-3000:]
        time.sleep(1)


def boot_of(project: Project) -> str:
    """Read the id of the present boot; empty while no login is possible."""
    try:
        return project.ssh("cat /proc/sys/kernel/random/boot_id")
    except AssertionError:
        return ""


def await_page(project: Project, name: str = "shop.example.org", port: int = 0) -> None:
    """Wait until an app answers a visitor."""
    authority = project.folder / "certs/material/authority/ca.crt"
    port = port or int(project.settings["HTTPS_PORT"])
    deadline = time.monotonic() + project.seconds
    while True:
        try:
            status, page = get("127.0.0.1", port, name, authority)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(1)
        else:
            assert (status, "<h2>" in page) == (200, True)
            return
