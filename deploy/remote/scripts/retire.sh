# retire APP SECONDS: let the connections to the slot that no longer serves end, for SECONDS at the
# most, and stop it. Goes on by itself when this connection is cut.
# shellcheck shell=bash
app=$1 seconds=$2

# connections APP SLOT: how many a slot has, by the socket table of its own network.
connections() {
  local pid
  pid=$(podman inspect --format '{{.State.Pid}}' "$1-$2" 2>/dev/null || echo 0)
  if [ "$pid" -eq 0 ]; then
    echo 0
  else
    nsenter --net --target "$pid" ss -HtnO exclude listening exclude time-wait | wc -l
  fi
}

retire() {
  local app=$1 seconds=$2 slot until
  one_at_a_time "$app"
  [ ! -e "$(home_of "$app")/deploying" ] || return 0
  slot=$(serving_slot "$app")
  [ -n "$slot" ] || return 0
  slot=$(other_slot "$slot")
  until=$((SECONDS + seconds))
  while [ "$SECONDS" -lt "$until" ] && [ "$(connections "$app" "$slot")" -gt 0 ]; do sleep 0.2; done
  stop_slot "$app" "$slot"
}

systemd-run --quiet --collect --wait --pipe bash -c "set -euo pipefail
$(declare -f home_of serving_slot other_slot one_at_a_time stop_slot connections retire)
retire \"\$@\"" retire "$app" "$seconds"
