#!/usr/bin/env bash
# Runs systemd-nspawn, again each time the node reboots, and ends with it.
# Usage: supervise.sh PIDFILE CGROUP COMMAND...; PIDFILE gets this process's pid, start time and
# boot. An empty CGROUP means that systemd-nspawn gets one by itself.
set -euo pipefail
pidfile=$1 cgroup=$2
shift 2

read -r stat <"/proc/$$/stat"
read -r boot </proc/sys/kernel/random/boot_id
# What follows the program's name in parentheses starts at field 3; the start time is field 22.
read -ra fields <<<"${stat##*) }"
echo "$$ ${fields[19]} $boot" >"$pidfile.new"
mv "$pidfile.new" "$pidfile"

boot() {
  # Two nodes in one cgroup would kill each other's services.
  [ -z "$cgroup" ] || echo "$BASHPID" >"$cgroup/cgroup.procs"
  exec setpriv --pdeathsig KILL "$@"
}

# 133 is how systemd-nspawn --keep-unit says that the node asked for a reboot.
status=133
while [ "$status" = 133 ]; do
  status=0
  (boot "$@") || status=$?
  echo "rehearsal: the node went down, systemd-nspawn exited with $status"
done
exit "$status"
