# Helpers that the scripts of an app share: marks of an unfinished deploy, host files, slots, sockets.
# shellcheck shell=bash

# refuse_another APP PREVIOUS: fail when another deploy is unfinished, or when the release that serves
# is not the one this deploy was planned on.
refuse_another() {
  local found
  [ ! -e "$(home_of "$1")/deploying" ] || fail "another deploy of $1 is unfinished"
  found=$(current_of "$1")
  [ "$found" = "$2" ] \
    || fail "the release on this node is ${found:-none}, not ${2:-none}: another deploy ran meanwhile"
}

# mark_deploying APP RELEASE PREVIOUS: note an unfinished deploy, for undo.
# shellcheck disable=SC2154
mark_deploying() {
  local mark
  mark=$(home_of "$1")/deploying
  jq -cn --argjson schema_version "$schema_version" --arg release "$2" --arg previous "$3" \
    '{$schema_version, $release, $previous}' >"$mark.new"
  sync "$mark.new"
  mv -fT "$mark.new" "$mark"
}

# mark_switching APP SLOT SWITCH: note which slot is started, and how. The schema version is on a line
# of its own, which older scripts do not read.
mark_switching() {
  local mark
  mark=$(home_of "$1")/switching
  printf '%s %s\n%s\n' "$2" "$3" "$schema_version" >"$mark.new"
  sync "$mark.new"
  mv -fT "$mark.new" "$mark"
}

# install_file SOURCE TARGET MODE: write a file atomically, with its SELinux label.
install_file() {
  install -D -m "$3" -o root -g root "$1" "$2.corefab-new"
  label "$2.corefab-new"
  mv -fT "$2.corefab-new" "$2"
}

# relink TARGET LINK: point a link elsewhere, atomically. A link that is right already is left alone:
# the disk may be full.
relink() {
  if [ "$(readlink "$2" || true)" = "$1" ]; then return; fi
  ln -sfnT "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

# aim_socket APP SLOT: have the app's socket start this slot, where its release takes sockets.
aim_socket() {
  local drop_in=/etc/systemd/system/$1.socket.d/current.conf beside=/run/corefab/$1.aim
  takes_socket "$1" "$2" || return 0
  printf '[Socket]\nService=%s-%s.service\n' "$1" "$2" >"$beside"
  if ! cmp -s "$beside" "$drop_in"; then
    install_file "$beside" "$drop_in" 0644
    sync "$drop_in"
    systemctl daemon-reload
  fi
  rm -f "$beside"
  # systemd opens no socket for a service that runs: stop it, and the socket starts it again.
  if ! systemctl -q is-active "$1.socket"; then
    systemctl reset-failed "$1.socket" 2>/dev/null || true
    systemctl start "$1.socket" || systemctl stop "$1-$2.service"
  fi
}

# drop_socket APP: stop the app's socket where the release that serves takes none.
drop_socket() {
  if takes_socket "$1" "$(serving_slot "$1")"; then return; fi
  systemctl stop "$1.socket" 2>/dev/null || true
  if [ -e "/etc/systemd/system/$1.socket.d" ]; then
    rm -rf "/etc/systemd/system/$1.socket.d"
    systemctl daemon-reload
  fi
  systemctl reset-failed "$1.socket" 2>/dev/null || true
}

# install_files APP RELEASE [SLOT]: install a staged release's host files, and reload systemd and the
# firewall for those that changed. The unit and door rules of SLOT are left out.
install_files() {
  local app=$1 staged path target units=no rules=no door=no folders=no
  staged=$(home_of "$app")/releases/$2
  while IFS= read -r -d '' path; do
    target=/$path
    case $path in
      */"$app-${3:-none}.container" | */doors/*/"${3:-none}.nft") continue ;;
    esac
    if cmp -s "$staged/root/$path" "$target" \
      && [ "$(stat -c '%a %u %g' "$target")" = "$(stat -c '%a 0 0' "$staged/root/$path")" ]; then
      continue
    fi
    case $target in
      */systemd/*) units=yes ;;
      */firewall.d/*) rules=yes ;;
      */doors/*) door=yes ;;
      */tmpfiles.d/*) folders=yes ;;
    esac
    install_file "$staged/root/$path" "$target" "$(stat -c %a "$staged/root/$path")"
  done < <(cd "$staged/root" && find . -type f -printf '%P\0')
  systemd-sysusers "/etc/sysusers.d/$app.conf"
  # It gives a folder its usual label, not the one that the container needs: so not while it is in use.
  if [ $folders = yes ] || [ ! -d "$(home_of "$app")/data" ]; then
    systemd-tmpfiles --create "/etc/tmpfiles.d/$app.conf"
  fi
  # A unit may have been removed as well: systemd reports that it needs a reload.
  if [ $units = yes ] || [ "$(systemctl show -P NeedDaemonReload "$app-blue" "$app-green" \
    | sort -u | tail -n 1)" = yes ]; then
    systemctl daemon-reload
  fi
  if [ $rules = yes ] && systemctl -q is-enabled corefab-firewall.service 2>/dev/null; then
    systemctl reload-or-restart corefab-firewall.service
  fi
  if [ $door = yes ]; then systemctl try-restart "$app-door.service"; fi
}

# remove_files APP GONE KEPT: remove the host files of release GONE that release KEPT does not have.
remove_files() {
  local home path
  home=$(home_of "$1")
  [ -d "$home/releases/$2/root" ] || return 0
  while IFS= read -r -d '' path; do
    [ -e "$home/releases/$3/root/$path" ] || rm -f "/$path"
  done < <(cd "$home/releases/$2/root" && find . -type f -printf '%P\0')
}

# check_files APP RELEASE: compare names, contents and modes of a release's project files with its manifest.
check_files() {
  local release problems
  release=$(home_of "$1")/releases/$2
  problems=$(cd "$release/files" && jq -rn --slurpfile manifest ../manifest.json \
    --rawfile hashes <(find . -type f -print0 | xargs -0r sha256sum -z --) \
    --rawfile others <(find . ! -type d -printf '%y %#m\0%l\0%P\0') '
    def hash: {key: .[68:], value: .[:64]};
    ($hashes | split("\u0000")[:-1] | map(hash) | from_entries) as $hash
    | $manifest[0].files as $wanted
    | ($others | split("\u0000") | [range(0; length - 1; 3) as $at | .[$at:$at + 3] | {key: .[2], value: (
        if .[0][:1] == "l" then "link \(.[1])"
        elif .[0] == "f 0644" then $hash[.[2]]
        elif .[0] == "f 0755" then "\($hash[.[2]]) x"
        else .[0] end)}] | from_entries) as $found
    | [$wanted + $found | keys[] | select($wanted[.] != $found[.])]
    | if . == [] then empty else "\(length), such as \(.[0] | tojson)" end') \
    || fail "the project files of release $2 cannot be compared with its manifest"
  [ -z "$problems" ] || fail "project files of release $2 on this node are not those that were listed: $problems"
}

# stop_slot APP SLOT: stop a slot, note when, and remove what would start it again.
stop_slot() {
  local home link
  home=$(home_of "$1")
  link=$home/$2
  systemctl stop "$1-$2.service" 2>/dev/null || true
  systemctl reset-failed "$1-$2.service" 2>/dev/null || true
  if [ -e "$link/ran" ] && [ "$(wc -w <"$link/ran")" -eq 2 ]; then
    printf '%s\n' "$(date +%s)" >>"$link/ran"
  fi
  rm -f "$link"
  podman untag "localhost/$1:$2" "localhost/$1:$2" 2>/dev/null || true
}

# write_manifest APP RELEASE: replace a release's manifest atomically by the one on stdin.
write_manifest() {
  local manifest
  manifest=$(home_of "$1")/releases/$2/manifest.json
  cat >"$manifest.new"
  jq -e objects "$manifest.new" >/dev/null || fail "the manifest of release $2 did not arrive whole"
  sync "$manifest.new"
  mv -fT "$manifest.new" "$manifest"
}
