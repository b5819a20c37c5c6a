# Functions for all scripts, and the lines that every script begins with. Scripts run as root on a node.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C
umask 022
# A crash of a program that has a secret in its memory leaves no copy of it.
ulimit -c 0
# Lower our priority below the app's: by process and by autogroup, whichever the kernel uses.
renice -n 10 $$ >/dev/null
{ echo 10 >/proc/self/autogroup; } 2>/dev/null || true

# The schema version of the files we write; deploy/node/schema.py has the same.
schema_version=1

fail() {
  printf '%s\n' "$1" >&2
  exit "${2:-1}"
}

# home_of APP: the app's folder. current_of APP: the name of the serving release, empty for none.
home_of() { printf '/var/lib/%s' "$1"; }
current_of() {
  if jq -e objects "$(home_of "$1")/current/manifest.json" >/dev/null 2>&1; then
    readlink "$(home_of "$1")/current" | sed 's|^releases/||'
  fi
}

# lock_file NAME: make the lock file /run/corefab/NAME and print its path. It is root's alone from its
# first byte: whoever can open a lock file can hold the lock.
lock_file() {
  install -d -m 0711 /run/corefab
  (umask 077 && : >>"/run/corefab/$1")
  # One of an older corefab.
  chmod 0600 "/run/corefab/$1"
  printf '/run/corefab/%s' "$1"
}

# wait_for_lock FD FILE SECONDS: lock the file that is open as FD. While another process holds the lock,
# wait up to SECONDS, and write who holds it to the journal; then fail.
wait_for_lock() {
  local by
  if flock -n "$1"; then return; fi
  by="$2 is locked by $(describe "$(holders "$2")")"
  echo "waiting up to $3 s: $by" | systemd-cat -t corefab -p warning || true
  flock -w "$3" "$1" || fail "waited $3 s: $by. Wait for it to end, or end it on the node with \`sudo kill\`"
}

# holders FILE: print the ids of the processes that hold the lock of a file. The kernel names in
# /proc/locks the process that locked it, which may be gone; so ask for each open file. The name alone
# proves nothing: in a container, or in a user's own namespace, another file can have the same.
holders() {
  local id
  # shellcheck disable=SC2046,SC2183
  id=$(printf '%02x:%02x:%d' $(stat -c '%Hd %Ld %i' "$1"))
  find /proc/[0-9]*/fd -lname "$1" -printf '%h/../fdinfo/%f\0' 2>/dev/null \
    | xargs -0r grep -lse "^lock:.* FLOCK .* $id " | cut -d / -f 3 | sort -un || true
}

# describe PID...: print each process with its user and command.
describe() {
  # shellcheck disable=SC2086
  { ps -o pid=,user=,comm= -p "$(tr -s ' \n' ',' <<<"$*" | sed 's/,$//')" 2>/dev/null || echo 'an unknown process'; } \
    | sed 's/^ *\([0-9]*\)/process \1/' | paste -sd ';' | tr -s ' '
}

# holder_of FILE: print the JSON that the holder of a lock wrote into its file; about a holder that wrote
# none, what is known of its processes.
holder_of() {
  local pids
  pids=$(holders "$1")
  jq -ce --arg pids "$pids" 'objects | select(.who and .what and .since and
    (.pid == null or (.pid | tostring | IN($pids | split("\n")[]))))' "$1" 2>/dev/null \
    || jq -cn --arg who "$(describe "$pids")" --arg since "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" \
      '{$who, what: "not a command of fab", $since}'
}

# one_at_a_time APP: wait for a script that is still running after its connection broke.
one_at_a_time() {
  local file
  file=$(lock_file "$1.work")
  exec 8<>"$file"
  wait_for_lock 8 "$file" 900
}

# unpacking_error SAID: print why podman cannot unpack a layer that is as it was built, from skopeo's
# output; fails for any other error.
unpacking_error() {
  case $1 in
    *[Nn]'o space left'*) return 1 ;;
    *'unpacking failed'*'output: '* | *'processing tar file'*) ;;
    *) return 1 ;;
  esac
  local why=${1##*output: }
  why=${why##*processing tar file}
  why=${why%%\\n*}
  why=${why%%\"*}
  printf 'podman cannot unpack a layer of the image: %s\n' "${why%)}"
}

# label PATH...: set the SELinux labels of new files. Not for a folder that a running container has
# mounted: podman labels that itself. restorecon may not have the lock files that are open here.
label() {
  if command -v restorecon >/dev/null; then
    restorecon -R "$@" 2>/dev/null 3>&- 7>&- 8>&- 9>&- || true
  fi
}

# label_as PATH NEW: give a new file the SELinux label of PATH, to which it will be renamed.
label_as() { chcon "$(matchpathcon -n "$1" 2>/dev/null)" "$2" 2>/dev/null || true; }

# listeners UNIT: print the sockets on which the main process of a unit listens.
listeners() {
  ss -Hltnep 2>/dev/null | grep -F "pid=$(systemctl show -P MainPID "$1")," | grep -o 'ino:[0-9]*' | sort || true
}

# reload_sshd: have sshd read its configuration again. It closes its listening sockets and opens new ones;
# wait for those up to 10 s, because connections are refused meanwhile.
reload_sshd() {
  local unit before now
  sshd -t || fail "sshd rejects its configuration; it was not reloaded"
  for unit in sshd.service ssh.service; do
    if systemctl -q is-active "$unit"; then
      before=$(listeners "$unit")
      systemctl reload "$unit"
      for _ in $(seq 100); do
        now=$(listeners "$unit")
        if [ -z "$before" ] || { [ -n "$now" ] && [ "$now" != "$before" ]; }; then return; fi
        sleep 0.1
      done
      return
    fi
  done
  fail "sshd does not run as a service on this node"
}

# serving_slot APP: print the serving slot, or nothing. Only the link `current` decides.
serving_slot() {
  local slot
  for slot in blue green; do
    if [ "$(home_of "$1")/$slot" -ef "$(home_of "$1")/current" ]; then
      printf '%s' "$slot"
      return
    fi
  done
}

other_slot() { if [ "$1" = blue ]; then printf green; else printf blue; fi; }

# door APP open|hold: open the app's front door to the serving slot, or hold new connections.
door() { bash "/etc/corefab/doors/$1/door.sh" "$2"; }

# takes_socket APP PLACE: test whether the release in a slot, or in releases/…, uses systemd's listening
# sockets.
takes_socket() { [ -e "$(home_of "$1")/$2/root/etc/systemd/system/$1.socket" ]; }

# socket_ports APP PLACE: print the ports of such a release's sockets.
socket_ports() {
  sed -n 's/^ListenStream=//p' "$(home_of "$1")/$2/root/etc/systemd/system/$1.socket"
}

# socket_fits APP PLACE: test whether the sockets are open on the ports such a release wants. A container
# can have shut the sockets that systemd believes open.
socket_fits() {
  local port
  systemctl -q is-active "$1.socket" \
    && [ "$(systemctl show -P Listen "$1.socket" | sed 's/ (Stream)$//; s/.*://')" \
      = "$(socket_ports "$1" "$2")" ] || return
  for port in $(socket_ports "$1" "$2"); do
    [ -n "$(ss -Hltn "sport = :$port")" ] || return
  done
}

# start_slot APP SLOT: restart the slot's service and wait until systemd has started it. A start that
# fails because of podman, not of the release, is tried again.
start_slot() {
  local unit=$1-$2.service began next
  for next in 'starting it again' 'starting it again' 'starting it again' 'giving up'; do
    began=$(date +%s)
    systemctl reset-failed "$unit" 2>/dev/null || true
    if systemctl restart "$unit" && systemctl -q is-active "$unit"; then return; fi
    clean_podman "$1" "$2" "$began" "$next" || return 1
  done
  return 1
}

# clean_podman APP SLOT SINCE NEXT: remove what podman left of a slot whose start failed because of that, or
# because podman was killed, and write to the journal what happens NEXT; fails when podman reported no
# error: the app ended by itself, or took too long.
clean_podman() {
  local unit=$1-$2.service said
  said=$(podman_said "$unit" "$3" && journalctl -q -o cat --since "@$3" _PID=1 "UNIT=$unit")
  case $said in
    *'start operation timed out'* | *"result 'protocol'"*)
      if grep -qx Notify=true "/etc/containers/systemd/$1-$2.container"; then
        echo "the app never said READY=1 (sd_notify); set NOTIFY=false if it cannot" >&2
      fi
      return 1
      ;;
    *'Error: '* | *'status=9/KILL'*) ;;
    *) return 1 ;;
  esac
  systemctl stop "$unit" 2>/dev/null || true
  podman rm --force --ignore --time 0 "$1-$2" >/dev/null 2>&1 || true
  free_addresses "$1"
  echo "$unit: podman failed, $4: $(grep -m 1 '^Error' <<<"$said" || echo 'it was killed')" \
    | systemd-cat -t corefab -p warning
}

# podman_said UNIT SINCE: print what podman itself wrote as a slot's unit; the app writes by conmon. The journal of a
# busy node does not know the name of a process that has ended meanwhile.
podman_said() {
  journalctl --sync 2>/dev/null || true
  journalctl -q -a -o json --since "@$2" "_SYSTEMD_UNIT=$1" _TRANSPORT=stdout \
    | jq -r 'select(._COMM == null or (._COMM | contains("podman"))).MESSAGE | strings'
}

# free_addresses NETWORK: free the addresses that podman has noted as taken in a network. It keeps the
# note of a container that was killed while it started, for ever. Removing a network of the same name, made
# in an empty storage, removes the notes only. Containers that run keep their addresses: all are fixed.
free_addresses() {
  local at action
  at=$(mktemp -d /run/corefab/network.XXXXXX)
  for action in create rm; do
    podman --root "$at/root" --runroot "$at/run" --tmpdir "$at/tmp" --network-config-dir "$at/networks" \
      network "$action" "$1" >/dev/null || break
  done
  rm -rf "$at"
}

# serving_container APP: print the name of the serving container.
serving_container() { printf '%s-%s' "$1" "$(serving_slot "$1")"; }

# replace_within FILE TARGET [LIKE]: replace a file in a folder that a running container has mounted; keep
# the old file's label, and its owner and mode, or take those of LIKE.
replace_within() {
  local beside
  beside=$(dirname "$2")/.${2##*/}.new
  cp "$1" "$beside"
  if [ -e "$2" ]; then
    chown --reference="${3:-$2}" "$beside"
    chmod --reference="${3:-$2}" "$beside"
    chcon --reference="$2" "$beside" 2>/dev/null || true
  fi
  mv -fT "$beside" "$2"
}

# install_certificate APP FOLDER FROM: copy certificate, key, password and manifest from FROM into the
# release in FOLDER, so that its running container sees them.
install_certificate() {
  local app=$1 folder=$2 from=$3 secrets plain
  if [ -e "$from/cert_pass" ]; then
    replace_within "$from/cert_pass" "$folder/credentials/cert_pass"
  fi
  if [ -e "$from/cert_pass" ] && ! behind_proxy "$app"; then
    secrets=$(podman inspect "$(serving_container "$app")" \
      --format '{{range .Mounts}}{{if eq .Destination "/run/secrets"}}{{.Source}}{{end}}{{end}}')
    # On tmpfs, like the file it replaces.
    plain=$(dirname "$secrets")/.cert_pass.new
    install -m 0600 /dev/null "$plain"
    systemd-creds decrypt --name=cert_pass "$from/cert_pass" - >"$plain"
    replace_within "$plain" "$secrets/cert_pass"
    rm -f "$plain"
  fi
  replace_within "$from/tls/server.key.enc" "$folder/tls/server.key.enc" "$from/tls/server.key.enc"
  replace_within "$from/tls/server.crt" "$folder/tls/server.crt"
  sync "$folder/tls/server.crt" "$folder/tls/server.key.enc"
  replace_within "$from/manifest.json" "$folder/manifest.json"
}

# in_container NAME SECONDS COMMAND...: run a command in a container, for SECONDS at most; print the last
# 64 KiB of what it says.
in_container() {
  timeout --kill-after=5s "${2}s" podman exec "$1" "${@:3}" </dev/null | tail -c 65536
}

# behind_proxy APP: test whether the node's proxy ends TLS for the release that serves.
behind_proxy() { [ -e "$(home_of "$1")/current/root/etc/corefab/routes/$1.caddy" ]; }

# upstream_of APP: print where the node's proxy sends an app's requests, or nothing.
upstream_of() {
  local file
  file=$(sed -n '/^	reverse_proxy {file\.\(.*\)} {$/{s//\1/p;q}' "/etc/corefab/routes/$1.caddy" 2>/dev/null || true)
  cat "/run/corefab/proxy/upstreams/${file:-none}" 2>/dev/null || true
}

# unix_socket APP SLOT: print the path that a slot's Unix socket has on the node; nothing for one with a port.
unix_socket() {
  local path
  path=$(sed -n 's/^Environment=HTTP_SOCKET=//p' "/etc/containers/systemd/$1-$2.container" 2>/dev/null || true)
  # Not ${path##*/}: that systemd-run would expand itself.
  [ -z "$path" ] || printf '/run/corefab/proxy/sockets/%s-%s/%s' "$1" "$2" "$(basename "$path")"
}

# load_certificate APP SIGNAL: have the app read its certificate again, by a signal to its main process only,
# not to its control group; or the node's proxy, where that ends TLS.
load_certificate() {
  if behind_proxy "$1"; then
    bash /etc/corefab/proxy/proxy.sh reload
  else
    podman kill --signal "$2" "$(serving_container "$1")" >/dev/null
  fi
}

# came_from: print the address this login came from. sudo drops SSH_CONNECTION from our environment, so
# read it from a parent process.
came_from() {
  local pid=$$ found
  while [ "${pid:-1}" -gt 1 ]; do
    found=$({ tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null \
      | sed -n 's/^SSH_CONNECTION=\([^ ]*\) .*/\1/p' || true)
    if [ -n "$found" ]; then
      printf '%s' "$found"
      return
    fi
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
  done
}

# audit LINE: append a line of JSON to the journal of changes and copy it to systemd's journal. The file
# is append-only (chattr +a) where the file system supports it.
audit() {
  local log=/var/lib/corefab/audit.log line
  line=$(jq -c --argjson schema_version "$schema_version" --arg from "$(came_from)" \
    --arg login "${SUDO_USER:-}" '. + {$schema_version, $from, $login}' <<<"$1")
  install -d -m 0755 /var/lib/corefab
  if [ ! -e "$log" ]; then
    install -m 0644 /dev/null "$log"
    label "$log"
  fi
  chattr +a "$log" 2>/dev/null || true
  # A power cut may have left an incomplete line.
  if [ -n "$(tail -c 1 "$log")" ]; then echo >>"$log"; fi
  printf '%s\n' "$line" >>"$log"
  sync "$log"
  logger --tag corefab --priority authpriv.notice -- "$line" || true
}
