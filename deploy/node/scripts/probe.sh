# probe APP PATH...: print the state of an app on this node as JSON. On stdin a line for each credential:
# its name, and its value in base64 or `-`; the answer has for each what facts.sh calls it.
# shellcheck shell=bash disable=SC2016
app=$1
shift
home=$(home_of "$app")
slot=$(serving_slot "$app")

# disks PATH...: for each, the device of its (future) file system and the free blocks.
disks() {
  local path paths
  mapfile -t paths < <(for path in "$@"; do
    until [ -e "${path:=/}" ]; do path=${path%/*}; done
    echo "$path"
  done)
  paste -d ' ' <(stat -c %d "${paths[@]}") <(stat -f -c '%a %S' "${paths[@]}")
}

# versions: the versions of podman, skopeo and systemd. Starting them is slow, so the answer is cached
# until the machine restarts or one of them is replaced.
versions() {
  local kept=/run/corefab/versions key
  key=$(type -P podman skopeo systemctl | xargs stat -Lc '%n %i %Z') || true
  jq -ce --arg key "$key" 'select(.key == $key)' "$kept" 2>/dev/null && return
  install -d -m 0711 /run/corefab
  jq -cn --arg key "$key" --arg podman "$(podman --version)" --arg skopeo "$(skopeo --version)" \
    --arg systemd "$(systemctl --version)" 'def word(at): split("[ \n]+"; "")[at] // "";
      {$key, podman: ($podman | word(2)), skopeo: ($skopeo | word(2)),
       systemd: ($systemd | word(1))}' | tee "$kept.$$"
  mv -fT "$kept.$$" "$kept"
}

# images: each image with its layers, without manifest lists. Podman is slow to start, so read its
# storage directly; ask podman only if the storage has another form. Retry if an image is removed
# meanwhile.
images() {
  local said ids files
  if said=$(cd /var/lib/containers/storage/overlay-images && mapfile -t files < <(jq -r \
    '.[] | "sha256:\(.id)" as $config | select(."big-data-names" | index($config))
      | "\(.id)/=\($config | @base64)"' images.json) && jq -cn --slurpfile images images.json \
    '[inputs | {key: (input_filename | split("/")[0]), value: .}] | from_entries as $configs
      | $images[0] | map("sha256:\(.id)" as $config | select(."big-data-names" | index($config))
        | ($configs[.id] // error("its config is empty")) as $config
        | {id, layers: $config.rootfs.diff_ids})' \
    "${files[@]}" </dev/null); then
    printf '%s' "$said" && return
  fi 2>/dev/null
  for _ in 1 2 3; do
    mapfile -t ids < <(podman image ls --all --quiet | sort -u)
    if [ ${#ids[@]} -eq 0 ]; then echo '[]' && return; fi
    if said=$(podman image inspect "${ids[@]}" 2>/dev/null); then
      jq -c 'map({id: .Id, layers: .RootFS.Layers})' <<<"$said"
      return
    fi
  done
  fail "podman cannot list the images"
}

# layers: image ids with their layers.
layers() {
  local said
  said=$(images)
  jq -c 'map({key: "sha256:\(.id)", value: (.layers // [])}) | from_entries' <<<"$said"
}

# partial: a row for each file of a broken image transfer: image, file, bytes, hash of an incomplete chunk.
partial() {
  local file size
  for file in /var/lib/corefab/images/*/*.part /var/lib/corefab/images/*/chunk.* \
    /var/lib/corefab/images/*/layout/blobs/sha256/*; do
    [ -e "$file" ] || continue
    # A running transfer may remove it.
    size=$(stat -c %s "$file" 2>/dev/null) || continue
    row "$(cut -d / -f 6 <<<"$file")" "${file##*/}" "$size" \
      "$(case $file in */chunk.*) sha256sum 2>/dev/null <"$file" | cut -d ' ' -f 1 ;; esac)"
  done
}

firewall() {
  if nft list table inet corefab >/dev/null 2>&1; then
    systemctl is-active corefab-firewall.service 2>/dev/null || true
  else
    echo 'not loaded'
  fi
}

# leftover: the slot that does not serve, if it still runs or left unused sockets open.
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

# routes: the subnets of this machine's interfaces and podman's networks.
routes() {
  shopt -s nullglob
  { ip -json address show && ip -json route show; } | jq -c '
    if type == "array" then .[]
      | select(.dst != "default") | . as $one
      | if .dst then {subnet: .dst, interface: .dev} else .addr_info[]?
        | select(.scope == "global" and .prefixlen > 0)
        | {subnet: "\(.local)/\(.prefixlen)", interface: $one.ifname} end
    else .name as $name | .network_interface as $interface | (.subnets // [])[]
      | {subnet, interface: $interface, network: $name} end' /etc/containers/networks/*.json -
}

# ipv6: whether a new interface of this machine can have an IPv6 address.
ipv6() {
  if [ "$(cat /proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null)" = 0 ]; then echo true; else echo false; fi
}

# interrupted: the unfinished deploy, or null. An unreadable mark counts as an unfinished deploy.
interrupted() {
  if [ -e "$home/deploying" ]; then
    # Pass on a newer schema version unchanged: the workstation refuses it.
    jq -ce 'select(.schema_version > 1 or (.release and (.previous | type == "string")))' \
      "$home/deploying" 2>/dev/null \
      || echo '{"release": "unknown", "previous": ""}'
  else
    echo null
  fi
}

unit() {
  systemctl show "$app-${slot:-blue}.service" -p ActiveState,SubState,Result,ExecMainStatus,StatusText \
    -p ActiveEnterTimestamp,NRestarts
}

# Slow facts run in parallel as files; an argument is limited to 128 KiB. Descriptor 3 is stdin, with the
# credentials.
exec 3<&0
answer \
  --argjson clock "$(date +%s)" \
  --arg machine "$(uname -m)" \
  --arg boot_id "$(</proc/sys/kernel/random/boot_id)" \
  --arg os "$(. /etc/os-release && printf '%s' "$PRETTY_NAME")" \
  --slurpfile versions <(versions) \
  --slurpfile manifest <(manifest_of "$app") \
  --slurpfile interrupted <(interrupted) \
  --rawfile disks <(disks /var/lib/containers/storage /var/tmp /var/lib/corefab/images) \
  --rawfile firewall <(firewall) \
  --rawfile door <(door_state "$app") \
  --arg slot "$slot" \
  --arg proxy "$(current_of corefab-proxy)" \
  --rawfile leftover <(leftover) \
  --slurpfile routes <(routes) \
  --rawfile unit <(unit) \
  --slurpfile layers <(layers) \
  --rawfile partial <(partial) \
  --rawfile places <(places "$@") \
  --rawfile credentials <(compared_credentials "$app" <&3) \
  --argjson ipv6 "$(ipv6)" \
  --rawfile staged <(staged_update) \
  --rawfile update <(jq -r '.said // empty' /var/lib/corefab/os-health.json 2>/dev/null || true) \
  'def line: split("\n")[0] // "";
   ($unit | split("\n") | map(select(. != "") | capture("^(?<key>[^=]*)=(?<value>.*)$")) | from_entries)
     as $unit |
   {clock: $clock, machine: $machine, boot_id: $boot_id, os: $os,
    podman: $versions[0].podman, skopeo: $versions[0].skopeo, systemd: $versions[0].systemd,
    manifest: $manifest[0], interrupted: $interrupted[0],
    disks: ($disks | split("\n") | map(select(. != "") | split(" ") | map(tonumber)
      | {device: .[0], free: (.[1] * .[2])}) | {storage: .[0], scratch: .[1], incoming: .[2]}),
    firewall: ($firewall | line), door: ($door | line), slot: $slot, $proxy, leftover: ($leftover | line),
    # A bridge of a podman network is listed with that network only.
    routes: (([$routes[] | select(.network) | .interface]) as $bridges
      | $routes | map(select(.network or (.interface as $one | $bridges | index($one) | not)))),
    $ipv6, active: $unit.ActiveState, since: $unit.ActiveEnterTimestamp,
    restarts: ($unit.NRestarts | tonumber? // 0),
    layers: $layers[0],
    partial: ($partial | rows(4) | group_by(.[0]) | map({
      key: ("sha256:" + .[0][0]),
      value: (map(
          if .[1] | startswith("chunk.")
          then {key: (.[1] | ltrimstr("chunk.")), bytes: (.[2] | tonumber), sha256: .[3]}
          else {layers: {("sha256:" + (.[1] | rtrimstr(".part"))): (.[2] | tonumber)}}
          end) | reduce .[] as $one ({}; . * $one))
    }) | from_entries),
    sub_state: $unit.SubState, result: $unit.Result, exit_status: $unit.ExecMainStatus,
    status_text: $unit.StatusText,
    files: ($places | table("path kind mode owner mtime ctime target sha256") | map(select(.kind == "file")
      | {key: .path, value: {mode: "\(.mode) \(.owner)", sha256}}) | from_entries),
    credentials: ($credentials | pairs),
    staged_update: ($staged | line), os_update: ($update | line)}'
