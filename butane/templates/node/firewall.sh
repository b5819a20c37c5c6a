#!/usr/bin/bash
# Load the firewall and every app's ports in one transaction. A file that cannot be loaded costs its
# own app its ports: the machine's own rules and the other apps' hold all the same.
set -uo pipefail
cd /etc/corefab || exit
shopt -s nullglob
apps=(firewall.d/*.nft)
if cat firewall.nft "${apps[@]}" | nft -f -; then exit 0; fi
nft -f firewall.nft || exit 1
for file in "${apps[@]}"; do
  nft -f "$file" 2>/dev/null || echo "/etc/corefab/$file cannot be loaded: its app gets no ports" >&2
done
exit 1
