# probe APP PATH...: what this node holds of an app, as JSON. On stdin a line a credential:
# its name, and its value in base64 or `-`; the answer says absent, present, same or different.
# shellcheck shell=bash
app=$1
shift
home=$(home_of "$app")
slot=$(serving_slot "$app")
unit=$app-${slot:-blue}.service

disk() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  printf '{"device": %s, "free": %s}' "$(stat -c %d "$path")" \
    "$(df --output=avail -B1 "$path" | tail -n 1 | tr -d ' ')"
}

# The layers of each image, which image one stands for, and the tags of the app. One may go while we
# ask: then ask again.
layers() {
  local ids said
  for _ in 1 2 3; do
    mapfile -t ids < <(podman image ls --all --quiet | sort -u)
    if [ ${#ids[@]} -eq 0 ]; then echo '{"layers": {}, "built": {}, "tags": {}}' && return; fi
    if said=$(podman image inspect "${ids[@]}" 2>/dev/null); then
      jq -c --arg own "localhost/$app:" 'map({id: ("sha256:" + .Id), layers: (.RootFS.Layers // []),
          labels: (.Labels // {}), names: (.RepoTags // [])}) | {
        layers: (map({key: .id, value: .layers}) | from_entries),
        built: (map(select(.labels["io.corefab.delta"] and .labels["io.corefab.delta"] == .layers[-1])
          | {key: .id, value: .labels["io.corefab.built"]}) | from_entries),
        tags: (map({id, name: .names[]} | select(.name | startswith($own))
          | {key: (.name | ltrimstr($own)), value: .id}) | from_entries)}' <<<"$said"
      return
    fi
  done
  fail "podman cannot list the images"
}

# What cut transfers of images left: image, file, bytes, and a hash of the piece on its way.
partial() {
  local file
  for file in /var/lib/corefab/images/*/*.part /var/lib/corefab/images/*/piece.* \
    /var/lib/corefab/images/*/layout/blobs/sha256/*; do
    [ -f "$file" ] || continue
    printf '%s\t%s\t%s\t%s\n' "$(cut -d / -f 6 <<<"$file")" "${file##*/}" \
      "$(stat -c %s "$file")" \
      "$(case $file in */piece.*) sha256sum <"$file" | cut -d ' ' -f 1 ;; esac)"
  done
}

hashes() {
  local path
  for path in "$@"; do
    [ -f "$path" ] || continue
    printf '%s\t%s\t%s\n' "$path" "$(stat -c '%a %U:%G' "$path")" \
      "$(sha256sum <"$path" | cut -d ' ' -f 1)"
  done
}

credentials() {
  local name value sealed
  while read -r name value; do
    sealed=$home/current/credentials/$name
    if [ ! -e "$sealed" ]; then
      printf '%s\tabsent\n' "$name"
    elif [ "$value" = - ]; then
      printf '%s\tpresent\n' "$name"
    elif cmp -s <(systemd-creds decrypt --name="$name" "$sealed" - 2>/dev/null) \
      <(printf '%s' "$value" | base64 -d); then
      printf '%s\tsame\n' "$name"
    else
      printf '%s\tdifferent\n' "$name"
    fi
  done
}

firewall() {
  if nft list table inet corefab >/dev/null 2>&1; then
    systemctl is-active corefab-firewall.service 2>/dev/null || true
  else
    echo 'not loaded'
  fi
}

# Whether the front door leads to the slot that serves.
door() {
  local rules address
  rules=$(nft list table inet "$app-door" 2>/dev/null) || { echo 'not there' && return; }
  address=$(sed -n 's/^Network=.*:ip=\([0-9.]*\).*/\1/p' \
    "/etc/containers/systemd/$app-${slot:-none}.container" 2>/dev/null)
  if nft list set inet "$app-door" held 2>/dev/null | grep -q elements; then
    echo holds
  elif [ -n "$slot" ] && takes_socket "$app" "$slot"; then
    if grep -qF elements <<<"$rules"; then
      echo 'leads elsewhere'
    elif socket_fits "$app" "$slot"; then
      echo open
    else
      echo 'the socket is not open'
    fi
  elif [ -n "$address" ] && grep -qF " : $address . " <<<"$rules"; then
    echo open
  else
    echo 'leads elsewhere'
  fi
}

# leftover: the slot that does not serve, when it runs, or when sockets are open that nobody takes.
leftover() {
  local idle
  [ -n "$slot" ] || return 0
  idle=$(other_slot "$slot")
  case $(systemctl show -P ActiveState "$app-$idle.service") in
    active | activating | reloading) printf '%s' "$idle" ;;
    *)
      if systemctl -q is-active "$app.socket" && ! takes_socket "$app" "$slot"; then
        printf '%s' "$idle"
      fi
      ;;
  esac
}

# routes: addresses that this machine's interfaces and podman's networks have.
routes() {
  local file
  for file in /etc/containers/networks/*.json; do
    [ -e "$file" ] || continue
    jq -c '.name as $name | .network_interface as $interface | (.subnets // [])[]
      | {subnet, interface: $interface, network: $name}' "$file"
  done
  ip -json address show | jq -c '.[] | .ifname as $name | .addr_info[]?
    | select(.scope == "global" and .prefixlen > 0)
    | {subnet: "\(.local)/\(.prefixlen)", interface: $name}'
  ip -json route show | jq -c '.[] | select(.dst != "default")
    | {subnet: .dst, interface: .dev}'
}

# What cannot be read (a disk that filled, a power cut) is no release, and a deploy that did not end.
manifest() {
  local file=$home/current/manifest.json
  jq -ce 'objects' "$file" 2>/dev/null || echo null
}
interrupted() {
  if [ -e "$home/deploying" ]; then
    jq -ce 'select(.release and (.previous | type == "string"))' "$home/deploying" 2>/dev/null \
      || echo '{"release": "unknown", "previous": ""}'
  else
    echo null
  fi
}

# Long answers go to jq as files: an argument may have 128 KiB. Credentials are asked on stdin.
exec 3<&0
jq -n \
  --argjson clock "$(date +%s)" \
  --arg boot_id "$(cat /proc/sys/kernel/random/boot_id)" \
  --arg os "$(. /etc/os-release && printf '%s' "$PRETTY_NAME")" \
  --arg podman "$(podman --version | cut -d ' ' -f 3)" \
  --arg systemd "$(systemctl --version | head -n 1 | cut -d ' ' -f 2)" \
  --slurpfile manifest <(manifest) \
  --argjson interrupted "$(interrupted)" \
  --argjson storage "$(disk /var/lib/containers/storage)" \
  --argjson scratch "$(disk /var/tmp)" \
  --argjson incoming "$(disk /var/lib/corefab/images)" \
  --arg firewall "$(firewall)" \
  --arg door "$(door)" \
  --arg slot "$slot" \
  --arg leftover "$(leftover)" \
  --slurpfile routes <(routes) \
  --arg active "$(systemctl show -P ActiveState "$unit")" \
  --arg word "$(systemctl show -P SubState "$unit")" \
  --arg result "$(systemctl show -P Result "$unit")" \
  --arg exit_status "$(systemctl show -P ExecMainStatus "$unit")" \
  --arg said "$(systemctl show -P StatusText "$unit")" \
  --arg since "$(systemctl show -P ActiveEnterTimestamp "$unit")" \
  --argjson restarts "$(systemctl show -P NRestarts "$unit" | grep -x '[0-9]*' || echo 0)" \
  --slurpfile layers <(layers) \
  --rawfile partial <(partial) \
  --rawfile files <(hashes "$@") \
  --rawfile credentials <(credentials <&3) \
  --arg staged "$(if command -v rpm-ostree >/dev/null; then
      rpm-ostree status --json 2>/dev/null | jq -r '.deployments[] | select(.staged) | .version' || true
    fi)" \
  'def rows: split("\n") | map(select(. != "") | split("\t"));
   {clock: $clock, boot_id: $boot_id, os: $os, podman: $podman, systemd: $systemd,
    manifest: $manifest[0], interrupted: $interrupted,
    storage_free: $storage.free, disks: {$storage, $scratch, $incoming},
    firewall: $firewall, door: $door, slot: $slot, leftover: $leftover,
    # The bridges of podman'"'"'s networks are named with their networks.
    routes: (([$routes[] | select(.network) | .interface]) as $bridges
      | $routes | map(select(.network or (.interface as $one | $bridges | index($one) | not)))),
    active: $active, since: $since, restarts: $restarts,
    layers: $layers[0].layers, built: $layers[0].built, tags: $layers[0].tags,
    partial: ($partial | rows | group_by(.[0]) | map({
      key: ("sha256:" + .[0][0]),
      value: (map(
          if .[1] | startswith("piece.")
          then {key: (.[1] | ltrimstr("piece.")), bytes: (.[2] | tonumber), sha256: .[3]}
          else {layers: {("sha256:" + (.[1] | rtrimstr(".part"))): (.[2] | tonumber)}}
          end) | reduce .[] as $one ({}; . * $one))
    }) | from_entries),
    word: $word, result: $result, exit_status: $exit_status, said: $said,
    files: ($files | rows | map({key: .[0], value: {mode: .[1], sha256: .[2]}}) | from_entries),
    credentials: ($credentials | rows | map({key: .[0], value: .[1]}) | from_entries),
    staged_update: $staged}'
