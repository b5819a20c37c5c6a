"""Slots start and stop hundreds of times, on a busy node, while podman is killed at random."""

from collections.abc import Iterator

import pytest

from deploy.node.script import scripts
from tests.system.project import Project

pytestmark = pytest.mark.stress
CYCLES, DEPLOYS = 200, 5
CYCLES_BETWEEN = CYCLES // DEPLOYS
KILLS = 2  # in a cycle or a deploy: a slot's start is tried more often
BUSY_LOOPS = 4
SECONDS = 3600
# While podman starts or stops a slot: kill one of its processes, or all in the control group.
KILLER = """
cat >/run/killer <<'TEXT'
kills=/run/killer.left
while sleep "0.0$((RANDOM % 10))"; do
  read -r left <$kills || continue
  [ "$left" -gt 0 ] && ((RANDOM % 10 == 0)) || continue
  for group in /sys/fs/cgroup/system.slice/$1-{blue,green}.service; do
    found=()
    starts=no
    while read -r pid; do
      read -r word 2>/dev/null </proc/$pid/comm || continue
      case $word in
        podman) starts=yes; found+=("$pid $word") ;;
        conmon | netavark | aardvark-dns | crun) found+=("$pid $word") ;;
      esac
    done < <(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)
    [ $starts = yes ] || continue
    if ((RANDOM % 5 == 0)); then
      echo 1 >"$group/cgroup.kill" || continue
      victim='0 all'
    else
      victim=${found[RANDOM % ${#found[@]}]}
      kill -9 "${victim% *}" || continue
    fi
    echo $((left - 1)) >$kills
    echo "${victim#* }" >>/run/killer.killed
    break
  done
done
TEXT
echo 0 >/run/killer.left
: >/run/killer.killed
systemd-run --quiet --unit=killer bash /run/killer "$app"
"""
# Both slots hold a release and may start; they take turns.
CYCLE = """
folder=/var/lib/$app
serving=$(serving_slot "$app")
idle=$(other_slot "$serving")
release=$(cd "$folder/releases" && printf '%s\\n' * | grep -vx "$(current_of "$app")" | tail -n 1)
ln -sfnT "releases/$release" "$folder/$idle"
ln -sfnT "$folder/releases/$release" "/run/corefab/$app.trial"
podman tag "localhost/$app:$release" "localhost/$app:$idle"
slot=$idle
for cycle in $(seq "$cycles"); do
  echo "$kills" >/run/killer.left
  start_slot "$app" "$slot" || fail "cycle $cycle: $slot did not start
$(tail -n 5 /run/killer.killed)
$(journalctl --no-pager -n 60 SYSLOG_IDENTIFIER=corefab + UNIT="$app-$slot.service" \
    + _SYSTEMD_UNIT="$app-$slot.service")"
  slot=$(other_slot "$slot")
  systemctl stop "$app-$slot.service" || true
done
rm "/run/corefab/$app.trial" "$folder/$idle"
"""


@pytest.fixture
def stressed(serving: Project) -> Iterator[Project]:
    """Keep the node busy, and kill podman there as often as /run/killer.left says."""
    loop = "systemd-run --quiet --unit=busy-{} bash -c 'while :; do :; done'\n"
    loops = "".join(map(loop.format, range(BUSY_LOOPS)))
    serving.ssh(f"app={app(serving)}\n{KILLER}{loops}")
    yield serving
    serving.ssh("systemctl stop killer.service 'busy-*.service'; rm -f /run/killer*")


def app(project: Project) -> str:
    return project.settings["PROJECT"] + "-www"


def test_slots_start_and_stop_on_a_busy_node_though_podman_is_killed(stressed: Project) -> None:
    assert CYCLES_BETWEEN % 2 == 0
    # At the low priority of the node's scripts this would take hours.
    lines = scripts()["preamble"].read_text().splitlines()
    preamble = "\n".join(one for one in lines if "renice" not in one and "autogroup" not in one)
    variables = f"app={app(stressed)} cycles={CYCLES_BETWEEN} kills={KILLS}\n"
    for number in range(DEPLOYS):
        stressed.ssh(f"echo {KILLS} >/run/killer.left")
        stressed.must("deploy", ENV_GREETING=f"deploy {number}")

        stressed.ssh(f"{preamble}\n{variables}{CYCLE}", seconds=SECONDS)

    stressed.ssh("echo 0 >/run/killer.left")
    killed = stressed.ssh("cat /run/killer.killed").split()
    counts = {one: killed.count(one) for one in sorted(set(killed))}
    print(f"{CYCLES} cycles, {DEPLOYS} deploys; killed: {counts}")  # noqa: T201 -- the result
    assert len(killed) > CYCLES
    stressed.must("deploy")
