# holdings APP USER: certificates, keys and credentials of an app as this node has them, as JSON: its
# clock, the chain of the release and the one inside the container, SSH host keys, whom it lets in,
# and sealed credentials with the first bytes of each, which say what it is sealed with.
# shellcheck shell=bash
app=$1 user=$2
home=$(home_of "$app")
now=$(date +%s)
age() { printf '%s' "$((now - $(stat -c %Y "$1")))"; }

inside() {
  local pid
  pid=$(podman inspect "$(serving_container "$app")" --format '{{.State.Pid}}' 2>/dev/null || echo 0)
  if [ "$pid" -gt 0 ]; then cat "/proc/$pid/root/etc/tls/server.crt" 2>/dev/null || true; fi
}

host_keys() {
  local key
  for key in /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.corefab-next; do
    [ -f "$key" ] || continue
    printf '%s\t%s\t%s\n' "$(age "$key")" "$(ssh-keygen -y -f "$key" | cut -d ' ' -f 1,2)" "${key##*.}"
  done
}

access() {
  local file folder line since
  folder=$(getent passwd "$user" | cut -d : -f 6)/.ssh
  for file in "$folder/authorized_keys" "$folder"/authorized_keys.d/*; do
    [ -f "$file" ] || continue
    since=$(age "$file")
    while IFS= read -r line; do printf '%s\t%s\n' "$since" "$line"; done <"$file"
  done
}

credentials() {
  local file name opens
  for file in "$home/current/credentials/"*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    opens=no
    if systemd-creds decrypt --name="$name" "$file" - >/dev/null 2>&1; then opens=yes; fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$(age "$file")" \
      "$(base64 -d "$file" 2>/dev/null | head -c 16 | od -An -v -tx1 | tr -d ' \n')" "$opens"
  done
}

jq -n \
  --argjson clock "$now" \
  --rawfile release <(cat "$home/current/tls/server.crt" 2>/dev/null || true) \
  --rawfile inside <(inside) \
  --rawfile host_keys <(host_keys) \
  --rawfile access <(access) \
  --rawfile credentials <(credentials) \
  --slurpfile manifest <(jq -ce objects "$home/current/manifest.json" 2>/dev/null || echo null) \
  'def rows: split("\n") | map(select(. != "") | split("\t"));
   {clock: $clock, release: $release, inside: $inside,
    host_keys: ($host_keys | rows | map({age_seconds: (.[0] | tonumber), key: .[1],
                                         next: (.[2] == "corefab-next")})),
    access: ($access | rows | map({age_seconds: (.[0] | tonumber), line: .[1]})),
    generations: ($manifest[0].generations // {}),
    credentials: ($credentials | rows | map({name: .[0], age_seconds: (.[1] | tonumber),
                                             seal: .[2], opens: (.[3] == "yes")}))}'
