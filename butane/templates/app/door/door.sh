#!/usr/bin/bash
# door.sh open | hold | keep | neighbours: open the front door of @APP@ for the slot that serves, hold
# it for a switch, or keep it as it is wanted whoever flushes the ruleset. `neighbours` lets the
# containers of its network come through the door to themselves.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")"
home=/var/lib/@APP@
held=/run/corefab/@APP@.held

# Which slot serves is said in one place: by the release that `current` leads to.
wanted() {
  local slot
  if [ -e "$held" ]; then
    echo hold
    return
  fi
  for slot in blue green; do
    if [ "$home/$slot" -ef "$home/current" ]; then
      echo "$slot"
      return
    fi
  done
}

load() {
  local found
  exec 9>/run/corefab/@APP@.door
  flock 9
  found=$(wanted)
  if [ -n "$found" ]; then cat table.nft "$found.nft" | nft -f -; fi
  exec 9>&-
}

missing() { ! nft list table inet @APP@-door >/dev/null 2>&1; }

mkdir -p /run/corefab
case $1 in
  open)
    rm -f "$held"
    load
    ;;
  hold)
    touch "$held"
    load
    ;;
  neighbours)
    # Where bridged packets pass the rules as well, the bridge sends none back where it came from.
    bridge=$(jq -r .network_interface /etc/containers/networks/@APP@.json)
    for port in "/sys/class/net/$bridge"/brif/*; do
      ip link set dev "${port##*/}" type bridge_slave hairpin on
    done
    ;;
  keep)
    # Listening before loading, so that no flush in between goes unheard.
    coproc nft monitor tables
    load
    systemd-notify --ready
    while true; do
      read -r -t 30 -u "${COPROC[0]}" _ || [ $? -gt 128 ]
      if missing; then load; fi
    done
    ;;
esac
