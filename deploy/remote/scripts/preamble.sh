# Put before every other script of this folder, which runs as root on a node.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C
umask 022

fail() {
  printf '%s\n' "$1" >&2
  exit "${2:-1}"
}

# Where things are: the app's folder, and the release that serves.
home_of() { printf '/var/lib/%s' "$1"; }
current_of() {
  if jq -e objects "$(home_of "$1")/current/manifest.json" >/dev/null 2>&1; then
    readlink "$(home_of "$1")/current" | sed 's|^releases/||'
  fi
}

# one_at_a_time APP: wait for a script of a connection that was cut and still works.
one_at_a_time() {
  install -d -m 0755 /run/corefab
  exec 8>"/run/corefab/$1.work"
  flock 8
}

# label PATH...: give new files their SELinux labels. Never a folder that a running container has
# mounted: podman gave that one labels of its own.
label() { if command -v restorecon >/dev/null; then restorecon -R "$@" 2>/dev/null || true; fi; }

# install_file SOURCE TARGET MODE: beside, labelled, renamed.
install_file() {
  install -D -m "$3" -o root -g root "$1" "$2.corefab-new"
  label "$2.corefab-new"
  mv -fT "$2.corefab-new" "$2"
}

# install_release APP RELEASE: put a staged release's host files and credentials in place, remove
# the host files that only the release before had, and point `current` at it.
install_release() {
  local app=$1 release=$2 home staged old path
  home=$(home_of "$app")
  staged=$home/releases/$release
  old=$(current_of "$app")
  [ -e "$staged/manifest.json" ] || fail "release $release is not on this node"
  while IFS= read -r -d '' path; do
    install_file "$staged/root/$path" "/$path" "$(stat -c %a "$staged/root/$path")"
  done < <(cd "$staged/root" && find . -type f -printf '%P\0')
  if [ -n "$old" ] && [ "$old" != "$release" ] && [ -d "$home/releases/$old/root" ]; then
    while IFS= read -r -d '' path; do
      [ -e "$staged/root/$path" ] || rm -f "/$path"
    done < <(cd "$home/releases/$old/root" && find . -type f -printf '%P\0')
  fi
  install -d -m 0700 /etc/credstore.encrypted
  for path in "/etc/credstore.encrypted/$app."*; do
    [ -e "$staged/credentials/${path#"/etc/credstore.encrypted/$app."}" ] || rm -f "$path"
  done
  for path in "$staged"/credentials/*; do
    [ -e "$path" ] || continue
    install_file "$path" "/etc/credstore.encrypted/$app.${path##*/}" 600
  done
  systemd-sysusers "/etc/sysusers.d/$app.conf"
  systemd-tmpfiles --create "/etc/tmpfiles.d/$app.conf"
  ln -sfnT "releases/$release" "$home/current.new"
  mv -fT "$home/current.new" "$home/current"
  podman tag "localhost/$app:$release" "localhost/$app:live"
  systemctl daemon-reload
  if systemctl -q is-enabled corefab-firewall.service 2>/dev/null; then
    systemctl reload-or-restart corefab-firewall.service
  fi
}

# restart_app APP: start it anew and wait for systemd's word that it started.
restart_app() {
  systemctl reset-failed "$1.service" 2>/dev/null || true
  systemctl restart "$1.service"
}

# came_from: the address that this login came from, as sshd told the processes above us; sudo takes
# it out of our own environment.
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

# audit LINE: append a line of JSON to the journal of changes, and mirror it to the system's. The
# file can only be appended to where the file system knows how.
audit() {
  local log=/var/lib/corefab/audit.log line
  line=$(jq -c --arg from "$(came_from)" --arg login "${SUDO_USER:-}" \
    '. + {from: $from, login: $login}' <<<"$1")
  install -d -m 0755 /var/lib/corefab
  if [ ! -e "$log" ]; then
    install -m 0644 /dev/null "$log"
    label "$log"
  fi
  chattr +a "$log" 2>/dev/null || true
  # A power cut may have left half a line.
  if [ -n "$(tail -c 1 "$log")" ]; then echo >>"$log"; fi
  printf '%s\n' "$line" >>"$log"
  sync "$log"
  logger --tag corefab --priority authpriv.notice -- "$line" || true
}

# write_manifest APP RELEASE: replace a release's manifest by what stdin says, whole or not at all.
write_manifest() {
  local manifest
  manifest=$(home_of "$1")/releases/$2/manifest.json
  cat >"$manifest.new"
  jq -e objects "$manifest.new" >/dev/null || fail "the manifest of release $2 did not arrive whole"
  sync "$manifest.new"
  mv -fT "$manifest.new" "$manifest"
}
