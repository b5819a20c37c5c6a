# inspect APP: the state of this node, to be compared with its machine spec and the app's release.
# Stdin has one question per line: `path PATH`, `user NAME`, `unit NAME`, `sysctl NAME`. Answers in JSON; times
# are seconds since 1970.
# shellcheck shell=bash disable=SC2016
app=$1
home=$(home_of "$app")
question=$(cat)
asked() { sed -n "s/^$1 //p" <<<"$question"; }

# What places does not see is absent, and has the times of the folder above.
every_place() {
  local at=0 path above since found
  local -A there
  mapfile -d "" -t found < <(places "$@")
  while [ "$at" -lt ${#found[@]} ]; do
    path=${found[at]}
    there[$path]=yes
    row "${found[@]:at:8}"
    at=$((at + 8))
  done
  for path in "$@"; do
    [ -z "${there[$path]:-}" ] || continue
    above=$path
    while [ ! -d "$above" ]; do above=$(dirname "$above"); done
    since=$(stat -c %Y "$above")
    row "$path" absent '' '' "$since" "$since" '' ''
  done
}

groups_of() {
  local name
  while IFS= read -r name; do
    getent passwd "$name" >/dev/null || continue
    row "$name" "$(id -nG "$name")"
  done
}

units() {
  local name
  while IFS= read -r name; do
    row "$name" "$(systemctl is-enabled "$name" 2>/dev/null || true)"
  done
}

sysctls() {
  local name file
  while IFS= read -r name; do
    file=/proc/sys/${name//.//}
    # A container has no kernel of its own: its host sets these parameters.
    [ -w "$file" ] || continue
    row "$name" "$(tr '\t\n' '  ' <"$file" | sed 's/ *$//')"
  done
}

# Compare the loaded table with what the firewall's files load in an empty network namespace.
firewall() {
  local wanted
  [ -e /etc/corefab/firewall.sh ] || return 0
  wanted=$(unshare --net bash -c \
    'bash /etc/corefab/firewall.sh && nft -s list table inet corefab' 2>&1) \
    || { printf 'the files cannot be loaded: %s\n' "${wanted##*$'\n'}" && return 0; }
  if ! nft list table inet corefab >/dev/null 2>&1; then
    echo 'the table is not loaded'
    return 0
  fi
  diff --unchanged-line-format= --old-line-format=$'- %L' --new-line-format=$'+ %L' \
    <(printf '%s\n' "$wanted") <(nft -s list table inet corefab) || true
}

# Files and units with the app's name; the drop-in of its sockets belongs to the switch.
strays() {
  local file aim=
  if takes_socket "$app" "$(serving_slot "$app")"; then
    aim=/etc/systemd/system/$app.socket.d/current.conf
  fi
  for file in "/etc/containers/systemd/$app"[.-]* "/etc/containers/systemd/$app"*.d/* \
    "/etc/systemd/system/$app"[.-]* "/etc/systemd/system/$app"*.d/* \
    /etc/systemd/system/corefab-*.d/* "/run/systemd/system/$app"*.d/*; do
    if [ -f "$file" ] && [ "$file" != "$aim" ]; then row "$file" "$(stat -c %Y "$file")"; fi
  done
}

project_files() {
  [ -d "$home/current/files" ] || return 0
  (cd "$home/current/files" \
    && find . -mindepth 1 \( -type f -o -type l \) -printf '%y %m %T@ %l\0%P\0')
}
project_hashes() {
  [ -d "$home/current/files" ] || return 0
  (cd "$home/current/files" && find . -type f -printf '%P\0' | sort -z \
    | xargs -0 -r sha256sum -z --)
}

mapfile -t paths < <({ asked path; manifest_of "$app" | jq -r '.units? // {} | keys[]'; } | sort -u)
mapfile -t people < <({ asked user; key_holders; } | sort -u)
answer \
  --argjson clock "$(date +%s)" \
  --slurpfile manifest <(manifest_of "$app") \
  --rawfile staged <(if [ -d "$home/current/root" ]; then
      cd "$home/current/root/" && find . -type f -printf '/%P\0%m\0'; fi) \
  --slurpfile claimed <(for one in /var/lib/*/current/manifest.json; do
      [ -z "$(owner_above "$one")" ] || continue
      jq -ce '.units | keys' "$one" 2>/dev/null || true; done) \
  --rawfile places <(every_place "${paths[@]}") \
  --rawfile groups <(asked user | groups_of) \
  --slurpfile keys <(authorized_keys "${people[@]}") \
  --rawfile units <(asked unit | units) \
  --rawfile sysctl <(asked sysctl | sysctls) \
  --rawfile firewall <(firewall) \
  --rawfile strays <(strays) \
  --rawfile credentials <(sealed_credentials "$app") \
  --rawfile files <(project_files) \
  --rawfile hashes <(project_hashes) \
  --rawfile people <(getent passwd) \
  --slurpfile containers <(podman ps --all --format json) \
  --arg cmdline "$(cat /proc/cmdline)" \
  --arg app "$app" \
  '($hashes | split("\u0000") | map(select(. != "") | {key: .[66:], value: .[:64]}) | from_entries)
     as $sha |
   {$clock, manifest: $manifest[0],
    staged: ($staged | pairs),
    claimed: ($claimed | add // []),
    paths: ($places | table("path kind mode owner mtime ctime target sha256")
      | map({key: .path, value: .}) | from_entries),
    groups: ($groups | pairs | map_values(split(" "))),
    $keys,
    units: ($units | pairs),
    sysctl: ($sysctl | pairs),
    firewall: ($firewall | split("\n") | map(select(. != ""))),
    strays: ($strays | pairs | map_values(tonumber)),
    credentials: ($credentials | table("name age_seconds seal opens")),
    files: ([$files | split("\u0000") | map(select(. != "")) | range(0; length; 2) as $at
        | {key: .[$at + 1], value: (.[$at] | split(" ") | {
            kind: .[0], mode: .[1], mtime: (.[2] | tonumber | floor), target: (.[3:] | join(" "))})}]
      | map(.value.sha256 = ($sha[.key] // "")) | from_entries),
    people: ($people | split("\n") | map(select(. != "") | split(":")
      | {name: .[0], uid: (.[2] | tonumber), login_shell: .[6]})),
    containers: ($containers[0] // [] | map({
        name: .Names[0], image: ("sha256:" + (.ImageID // "")), state: .State,
        unit: (.Labels.PODMAN_SYSTEMD_UNIT // ""), created: .Created})
      | map(select(.name == $app or (.name | startswith($app + "-"))))),
    kernel_arguments: ($cmdline | split(" "))}'
