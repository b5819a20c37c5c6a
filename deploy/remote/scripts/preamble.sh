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

# serving_container APP: the container that visitors reach.
serving_container() { printf '%s' "$1"; }

# replace_within FILE TARGET: replace a file of a folder that a running container has mounted: the
# new one gets the labels, owner and mode of the old.
replace_within() {
  local beside
  beside=$(dirname "$2")/.${2##*/}.new
  cp "$1" "$beside"
  if [ -e "$2" ]; then
    chown --reference="$2" "$beside"
    chmod --reference="$2" "$beside"
    chcon --reference="$2" "$beside" 2>/dev/null || true
  fi
  mv -fT "$beside" "$2"
}

# install_certificate APP FOLDER FROM: give the release in FOLDER the certificate, key, password and
# manifest that lie in FROM, as its running container sees them.
install_certificate() {
  local app=$1 folder=$2 from=$3 secrets plain
  if [ -e "$from/cert_pass" ]; then
    replace_within "$from/cert_pass" "$folder/credentials/cert_pass"
    install_file "$from/cert_pass" "/etc/credstore.encrypted/$app.cert_pass" 600
    secrets=$(podman inspect "$(serving_container "$app")" \
      --format '{{range .Mounts}}{{if eq .Destination "/run/secrets"}}{{.Source}}{{end}}{{end}}')
    # In memory, like the one it replaces.
    plain=$(dirname "$secrets")/.cert_pass.new
    install -m 0600 /dev/null "$plain"
    systemd-creds decrypt --name=cert_pass "$from/cert_pass" - >"$plain"
    replace_within "$plain" "$secrets/cert_pass"
    rm -f "$plain"
  fi
  replace_within "$from/tls/server.key.enc" "$folder/tls/server.key.enc"
  replace_within "$from/tls/server.crt" "$folder/tls/server.crt"
  sync "$folder/tls/server.crt" "$folder/tls/server.key.enc"
  replace_within "$from/manifest.json" "$folder/manifest.json"
}

# signal_app APP SIGNAL: the app's main process gets a signal, not its whole control group.
signal_app() { podman kill --signal "$2" "$(serving_container "$1")" >/dev/null; }
