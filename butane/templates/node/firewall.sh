#!/usr/bin/bash
# firewall.sh [keep]: load the firewall and every app's ports in one transaction. A file that cannot be loaded
# costs its own app its ports: the machine's own rules and the other apps' hold all the same. With `keep`, load
# it again whenever the ruleset was flushed.
set -uo pipefail
cd /etc/corefab || exit
shopt -s nullglob

load() {
  local apps=(firewall.d/*.nft) file
  if cat firewall.nft "${apps[@]}" | nft -f -; then return 0; fi
  nft -f firewall.nft || return 1
  for file in "${apps[@]}"; do
    nft -f "$file" 2>/dev/null || echo "/etc/corefab/$file cannot be loaded: its app gets no ports" >&2
  done
  return 1
}

load_missing() { nft list table inet corefab >/dev/null 2>&1 || load; }

if [ "${1:-}" != keep ]; then
  load
  exit
fi
# Listening before loading, so that no flush in between is missed.
coproc nft monitor
load_missing
systemd-notify --ready
while true; do
  # nft monitor has ended: systemd starts this again.
  read -r -t 30 -u "${COPROC[0]}" _ || [ $? -gt 128 ] || exit 1
  load_missing
  # Events come in crowds.
  while read -r -t 0.2 -u "${COPROC[0]}" _; do :; done
  load_missing
done
