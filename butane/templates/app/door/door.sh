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
  (umask 077 && : >>/run/corefab/@APP@.door && chmod 0600 /run/corefab/@APP@.door)
  exec 9<>/run/corefab/@APP@.door
  if ! flock -w 60 9; then
    echo "waited 60 s for the lock /run/corefab/@APP@.door" >&2
    exit 1
  fi
  found=$(wanted)
  # SELinux denies nft the lock file that is open here.
  if [ -n "$found" ]; then cat table.nft "$found.nft" | nft -f - 9>&-; fi
  lead "$found"  # @ROUTE@
  exec 9>&-
}

# lead SLOT: name the slot to the proxy, in the file that the route of its release reads for each request. While
# the door holds, nothing listens at the address there, and the proxy tries again for long.
lead() {
  local unit=/etc/containers/systemd/@APP@-$1.container at=/run/corefab/proxy to=127.0.0.1:1 file socket
  install -d -m 0755 "$at" "$at/upstreams"
  [ -n "$1" ] || return 0
  if [ "$1" = hold ]; then
    # Another script may remove the folder between the two.
    for _ in $(seq 50); do
      if install -d -m 0755 "$at/unusual" && : >"$at/unusual/held.@APP@"; then break; fi
    done
  else
    socket=$(sed -n 's/^Environment=HTTP_SOCKET=//p' "$unit")
    if [ -n "$socket" ]; then
      to=unix//run/proxy/sockets/@APP@-$1/${socket##*/}
    else
      to=$(sed -n 's/^Network=.*:ip=\([0-9.]*\).*/\1/p' "$unit"):$(sed -n 's/^Environment=PORT=//p' "$unit")
    fi
    file=$(sed -n '/^	reverse_proxy {file\.\(.*\)} {$/{s//\1/p;q}' "$home/$1/root/etc/corefab/routes/@APP@.caddy" \
      2>/dev/null || true)
    write "$at/upstreams/${file:-@APP@.upstream}" "$to"
  fi
  # Who waits may do so by the other file.
  if [ -e "$at/unusual/held.@APP@" ]; then
    for file in "$at"/upstreams/@APP@.{upstream,h2c}; do
      [ ! -e "$file" ] || write "$file" "$to"
    done
  fi
  [ "$1" = hold ] || rm -f "$at/unusual/held.@APP@"
  rmdir "$at/unusual" 2>/dev/null || true
}

# write FILE TEXT: replace a file by a text, atomically.
write() {
  printf '%s' "$2" >"$1.new"
  mv -fT "$1.new" "$1"
}

# Where bridged packets pass the rules as well, the bridge sends none back where it came from.
neighbours() {
  local bridge port
  bridge=$(jq -r .network_interface /etc/containers/networks/@APP@.json)
  for port in "/sys/class/net/$bridge"/brif/*; do
    [ ! -e "$port" ] || ip link set dev "${port##*/}" type bridge_slave hairpin on
  done
}

missing() { ! nft list table inet @APP@-door >/dev/null 2>&1; }

install -d -m 0711 /run/corefab
case $1 in
  open)
    rm -f "$held"
    load
    ;;
  hold)
    touch "$held"
    load
    ;;
  neighbours) neighbours ;;
  keep)
    # Listening before loading, so that no flush in between goes unheard.
    coproc nft monitor
    load
    systemd-notify --ready
    while true; do
      read -r -t 30 -u "${COPROC[0]}" _ || [ $? -gt 128 ]
      if missing; then load; fi
      # Events come in crowds; a reload of podman's networks is one, and makes new ports.
      while read -r -t 0.2 -u "${COPROC[0]}" _; do :; done
      if missing; then load; fi
      neighbours || true
    done
    ;;
esac
