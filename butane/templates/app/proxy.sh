#!/usr/bin/bash
# proxy.sh prepare | claim APP FOLDER | check APP FOLDER | reload [APP FOLDER] | await-reload: make what the node's
# proxy reads, below /run/corefab/proxy, from the routes that the apps have installed. `claim` refuses the release
# of APP in FOLDER if another app has one of its names; `check` has the proxy validate its configuration as it
# would be with the release's route. `reload` has the proxy load what changed, certificates too; `await-reload`
# waits until no reload runs.
set -euo pipefail
export LC_ALL=C
umask 022
at=/run/corefab/proxy

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# secret FILE COMMAND...: write what a command prints to a file that the proxy alone can read, in memory.
secret() {
  install -m 0400 -o @APP@ -g @APP@ /dev/null "$1.new" || return
  if ! "${@:2}" >"$1.new" 2>/dev/null; then
    rm -f "$1.new"
    return 1
  fi
  mv -fT "$1.new" "$1"
}

# key RELEASE: print the TLS key of a release.
key() {
  systemd-creds decrypt --name=cert_pass "$1/credentials/cert_pass" - \
    | openssl pkey -in "$1/tls/server.key.enc" -passin stdin
}

# account RELEASE: print the line of Caddy's language that binds an external ACME account.
account() {
  systemd-creds decrypt --name=acme_hmac_key "$1/credentials/acme_hmac_key" - | sed '1s/^/eab {args[0]} /'
}

# route FILE APP RELEASE TO CERTS: make a route in the folder TO. A certificate of ours is opened into memory
# below TO, for the proxy alone; in the route it goes by the folder CERTS. Callers test it, so that bash does
# not stop at an error by itself.
route() {
  local file=$1 app=$2 release=$3 to=$4 certs=$5
  install -d -m 0755 "$to/routes" "$to/certs" "$to/roots" "$to/pages" || return
  if grep -q '^	tls /' "$file"; then
    secret "$to/certs/$app.key" key "$release" || {
      echo "the sealed password does not open the TLS key of $app on this node" >&2
      return 1
    }
    install -m 0444 "$release/tls/server.crt" "$to/certs/$app.crt" || return
  fi
  if grep -q "/certs/$app.account " "$file"; then
    secret "$to/certs/$app.account" account "$release" || {
      echo "the sealed ACME_HMAC_KEY of $app does not open on this node" >&2
      return 1
    }
  fi
  rm -rf "$to/pages/$app"
  if [ -d "$release/root/etc/corefab/routes/$app" ]; then
    cp -R "$release/root/etc/corefab/routes/$app" "$to/pages/$app" || return
  fi
  if [ -e "$release/root/etc/corefab/routes/$app.pem" ]; then
    cp "$release/root/etc/corefab/routes/$app.pem" "$to/roots/$app.pem" || return
  fi
  sed "s#/run/proxy/\(certs\|roots\)/#$certs/\1/#g" "$file" >"$to/routes/.$app.new" || return
  mv -fT "$to/routes/.$app.new" "$to/routes/$app.caddy"
}

# prepare: make all routes. One that cannot be made is left out: the other apps' names are served all the same.
prepare() {
  local file app upstream
  install -d -m 0755 "$at" "$at/upstreams" "$at/routes" "$at/sockets"
  cp /etc/corefab/proxy/@APP@.caddy "$at/.Caddyfile.new"
  mv -fT "$at/.Caddyfile.new" "$at/Caddyfile"
  for file in "$at"/routes/*.caddy; do
    app=$(basename "$file" .caddy)
    [ -e "/etc/corefab/routes/$app.caddy" ] \
      || rm -rf "$file" "$at"/{certs,roots,upstreams}/"$app".* "$at"/{pages,maintenance}/"$app"
  done
  for file in /etc/corefab/routes/*.caddy; do
    [ -e "$file" ] || continue
    app=$(basename "$file" .caddy)
    [ -e "/var/lib/$app/current/manifest.json" ] || continue
    route "$file" "$app" "/var/lib/$app/current" "$at" /run/proxy \
      || echo "the route of $app is left out" >&2
    rm -rf "$at/maintenance/$app"
    if [ -e "/var/lib/$app/maintenance" ]; then
      install -d -m 0755 "$at/maintenance" "$at/maintenance/$app"
      printf 'import %s-maintenance\n' "$app" >"$at/maintenance/$app/on"
    fi
    # Its door may open only later: while it is not there, requests wait.
    upstream=$at/upstreams/$(sed -n '/^	reverse_proxy {file\.\(.*\)} {$/{s//\1/p;q}' "$file")
    (set -C && printf 127.0.0.1:1 >"$upstream") 2>/dev/null || true
  done
}

# keep_data: have the proxy's data lie on the node's data partition, where there is one: a reinstall keeps that.
# The partition is the data folder of an app, which may replace what lies in it by a link or a folder of its own
# at any time; so what is mounted is what was checked, by its inode.
keep_data() {
  local data kept='' made=''
  if mountpoint -q /var/lib/@APP@/data; then return; fi
  for data in /var/lib/*/data; do
    if ! mountpoint -q "$data"; then continue; fi
    if [ -z "$kept" ] || [ -d "$data/.@APP@" ]; then kept=$data/.@APP@; fi
  done
  [ -n "$kept" ] || return 0
  mkdir -m 0700 "$kept" 2>/dev/null && made='0|'
  if ! cd "$kept" || [ "$(readlink /proc/self/cwd)" != "$kept" ] || ! [[ $(stat -c %u .) =~ ^(${made}@UID@)$ ]]; then
    echo "$kept is not the proxy's: remove it; until then a reinstall loses the proxy's certificates" >&2
    return 0
  fi
  chown @UID@:@UID@ .
  chmod 0750 .
  chcon -t container_file_t -l s0 . 2>/dev/null || true
  mount --no-canonicalize --bind . /var/lib/@APP@/data
}

# names FILE: print the names that a route is for, a line each.
names() { sed -n '2s/^# names: //p' "$1" | tr ' ' '\n'; }

# running: print the containers of the proxy that run.
running() {
  local slot
  for slot in blue green; do
    if systemctl -q is-active "@APP@-$slot.service"; then echo "@APP@-$slot"; fi
  done
}

# caddy CONTAINER WORD...: run Caddy's program in a container of the proxy; print the errors it reports.
caddy() {
  local said
  said=$(timeout --kill-after=5s 60s podman exec "$1" caddy "${@:2}" --adapter caddyfile </dev/null 2>&1 9>&- \
    | tail -c 65536) && return
  grep '^Error' <<<"$said" || tail -n 3 <<<"$said"
  return 1
}

claim() {
  local app=$1 file=$2/root/etc/corefab/routes/$1.caddy other name
  for other in /etc/corefab/routes/*.caddy; do
    if [ ! -e "$other" ] || [ "$other" = "/etc/corefab/routes/$app.caddy" ]; then continue; fi
    name=$(comm -12 <(names "$other" | sort) <(names "$file" | sort) | head -n 1)
    [ -z "$name" ] \
      || fail "$name is a name of $(basename "$other" .caddy) and of $app: take it out of CERT_NAMES or REDIRECT_NAMES of one of them"
  done
}

check() {
  local app=$1 release=$2 file said container trial=$at/trial.$1 other
  file=$release/root/etc/corefab/routes/$app.caddy
  claim "$app" "$release"
  container=$(running | head -n 1)
  [ -n "$container" ] || fail "the proxy of this node does not run; start it: \`fab proxy-deploy\`"
  install -d -m 0755 "$trial/routes"
  for other in "$at"/routes/*.caddy; do
    [ ! -e "$other" ] || cp "$other" "$trial/routes/"
  done
  sed "s|/run/proxy/routes/|/run/proxy/trial.$app/routes/|" /etc/corefab/proxy/@APP@.caddy >"$trial/Caddyfile"
  route "$file" "$app" "$release" "$trial" "/run/proxy/trial.$app" || fail "the route of $app cannot be made"
  if said=$(caddy "$container" validate --config "/run/proxy/trial.$app/Caddyfile"); then
    rm -rf "$trial"
    return
  fi
  rm -rf "$trial"
  fail "Caddy refuses the route of $app: $said"
}

# as_usual: end what a reload announces.
as_usual() {
  rm -f "$at/unusual/reloading"
  rmdir "$at/unusual" 2>/dev/null || true
}

reload() {
  local mark container said words=(--force --config /run/proxy/Caddyfile --address unix//run/caddy/admin.sock)
  prepare
  # Caddy itself does not notice that a certificate changed.
  mark=$({ cat "$at/Caddyfile" "$at"/{routes,certs,roots}/*.{account,caddy,crt,pem} \
    "$at"/maintenance/*/on 2>/dev/null || true; } | sha256sum)
  [ "$mark" != "$(cat "$at/loaded" 2>/dev/null)" ] || return 0
  # Whoever ends early leaves a proxy of which it is not known what it has loaded.
  rm -f "$at/loaded"
  # Connections that are kept would end with the configuration, maybe just as a request comes.
  # Another script may remove the folder between the two.
  for _ in $(seq 50); do
    if install -d -m 0755 "$at/unusual" && : >"$at/unusual/reloading"; then break; fi
  done
  trap as_usual EXIT
  if [ -n "$(running)" ]; then
    sleep 2
    # Nor does Caddy answer whoever connects while it reloads: they knock again after a second. The hold ends by
    # itself, whatever becomes of this script.
    nft add element inet @APP@-door held '{ 80 timeout 5s, 443 timeout 5s }' 2>/dev/null 9>&- || true
    sleep 0.3
  fi
  for container in $(running); do
    said=$(caddy "$container" reload "${words[@]}") || fail "Caddy cannot load its routes: $said"
  done
  printf '%s\n' "$mark" >"$at/loaded"
  # It has loaded the configuration before it ends the connections of the one before.
  if [ -n "$(running)" ]; then
    sleep 0.3
    nft delete element inet @APP@-door held '{ 80, 443 }' 2>/dev/null 9>&- || true
    sleep 0.7
  fi
}

(umask 077 && : >>/run/corefab/proxy.lock)
exec 9<>/run/corefab/proxy.lock
flock -w 120 9 || fail "waited 120 s for the lock /run/corefab/proxy.lock"
# One that was killed may have left these, keys in the trial among them.
as_usual
rm -rf "$at"/trial.*
case $1 in
  prepare)
    # What starts may read a route that is then undone.
    rm -f "$at/loaded"
    prepare
    keep_data
    ;;
  check) check "$2" "$3" ;;
  claim) claim "$2" "$3" ;;
  reload) reload ;;
  # The lock was enough.
  await-reload) ;;
esac
