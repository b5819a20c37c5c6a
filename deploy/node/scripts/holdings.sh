# holdings APP: print an app's certificates, keys and credentials on this node as JSON: the clock,
# the certificate chain of the release and the one inside the container, SSH host keys, authorized keys of
# all users, sealed credentials. On stdin: credentials to compare, as for probe.
# shellcheck shell=bash disable=SC2016
app=$1
home=$(home_of "$app")

# What a path in the container leads to is up to the container: read it with the rights of its user.
inside() {
  local pid uid gid
  # Without a certificate of ours there is none in the container.
  [ -e "$home/current/tls/server.crt" ] || return 0
  pid=$(podman inspect "$(serving_container "$app")" --format '{{.State.Pid}}' 2>/dev/null || echo 0)
  if [ "$pid" -gt 0 ]; then
    read -r uid gid < <(stat -c '%u %g' "/proc/$pid")
    as_user "$uid" "$gid" head -c 65536 "/proc/$pid/root/etc/tls/server.crt" </dev/null 2>/dev/null || true
  fi
}

mapfile -t users < <(key_holders)
exec 3<&0
answer \
  --argjson clock "$(date +%s)" \
  --rawfile release <(cat "$home/current/tls/server.crt" 2>/dev/null || true) \
  --rawfile inside <(inside) \
  --rawfile host_keys <(host_keys) \
  --arg changing "$(host_keys_changing)" \
  --slurpfile access <(authorized_keys "${users[@]}") \
  --rawfile sealed <(sealed_credentials "$app") \
  --rawfile compared <(compared_credentials "$app" <&3) \
  --slurpfile manifest <(manifest_of "$app") \
  '{$clock, $release, $inside, manifest: $manifest[0],
    host_keys: ($host_keys | table("key age_seconds next")),
    host_keys_changing: $changing,
    $access,
    credentials: ($sealed | table("name age_seconds seal opens")),
    compared: ($compared | pairs)}'
