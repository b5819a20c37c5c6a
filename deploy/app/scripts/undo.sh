# undo APP: undo an unfinished deploy, so that the release before it serves. Prints the release that
# serves, and a second line if its project files are not those of its manifest; without an unfinished deploy
# it changes nothing.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
# A stage that was killed may have left a folder without a mark.
rm -rf "$home"/releases/*.new
if [ ! -e "$home/deploying" ]; then
  current_of "$app"
  exit 0
fi
# A mark that cannot be read still means that a deploy is unfinished; `current` names what serves.
release=$(jq -re .release "$home/deploying" 2>/dev/null || true)
previous=$(jq -re .previous "$home/deploying" 2>/dev/null || current_of "$app")

# to_previous SLOT SWITCH: have the other slot serve again, then stop SLOT.
to_previous() {
  local slot=$1 switch=$2 old
  old=$(other_slot "$slot")
  # The slot to be stopped may hold the ports of sockets that it shut.
  if takes_socket "$app" "$old" && ! socket_fits "$app" "$old"; then switch=restart; fi
  if [ "$switch" = restart ]; then
    # Hold visitors until the old slot is back, instead of refusing them.
    systemctl -q is-active "$app-$old.service" || door "$app" hold
    systemctl stop "$app.socket" 2>/dev/null || true
    stop_slot "$app" "$slot"
  fi
  if [ -n "$release" ]; then remove_files "$app" "$release" "$previous"; fi
  # A full disk must not keep the old slot down: it is reported at the end.
  install_files "$app" "$previous" &
  wait $! || whole=no
  relink "releases/$previous" "$home/$old"
  relink "releases/$previous" "$home/current"
  podman tag "localhost/$app:$previous" "localhost/$app:$old" || true
  aim_socket "$app" "$old"
  # With SWITCH=slots it usually still runs, and is left alone. It starts even if its files have changed:
  # otherwise nothing would serve.
  if ! systemctl -q is-active "$app-$old.service"; then
    changed=$(check_files "$app" "$previous" 2>&1) || true
    start_slot "$app" "$old" || true
  fi
  door "$app" open
  if has_route "$app" "$previous"; then
    proxy reload "$app" "$previous" || true
  elif [ -n "$release" ] && has_route "$app" "$release"; then
    remove_route "$app" || true
  fi
  systemctl start "$app-door.service"
  stop_slot "$app" "$slot"
  drop_socket "$app"
}

# to_nothing SLOT: remove a first release, before which nothing served.
to_nothing() {
  rm -f "$home/current"
  if has_route "$app" "$release"; then remove_route "$app" || true; fi
  systemctl stop "$app-door.service" 2>/dev/null || true
  nft delete table inet "$app-door" 2>/dev/null || true
  stop_slot "$app" "$1"
  drop_socket "$app"
}

# keep_failed: keep the failed release, stopped, for `fab logs`; remove an older failed one.
keep_failed() {
  local old
  for old in "$home"/releases/*/failed; do
    [ -e "$old" ] || continue
    old=$(basename "$(dirname "$old")")
    podman rmi "localhost/$app:$old" >/dev/null 2>&1 || true
    rm -rf "$home/releases/${old:?}"
  done
  date +%s >"$home/releases/$release/failed"
}

# forget: remove a release that was never started. Its image stays under the tag `failed`, so that the
# next try need not send it again.
forget() {
  if podman image exists "localhost/$app:$release"; then
    podman tag "localhost/$app:$release" "localhost/$app:failed"
    podman untag "localhost/$app:$release" "localhost/$app:$release"
  fi
  rm -rf "$home/releases/${release:?}"
}

whole=yes changed=
if [ -e "$home/switching" ]; then
  read -r slot switch <"$home/switching"
  # When the manifest of what served cannot be read, its slot still names the release.
  if [ -z "$previous" ]; then
    previous=$(readlink "$home/$(other_slot "$slot")" | sed 's|^releases/||' || true)
  fi
  if [ -n "$previous" ]; then to_previous "$slot" "$switch"; else to_nothing "$slot"; fi
  [ $whole = yes ] || fail "release $previous is back, but not all of its host files are"
  if [ -n "$release" ] && [ -d "$home/releases/$release" ]; then keep_failed; fi
elif [ -n "$release" ]; then
  forget
fi
rm -f "/run/corefab/$app.trial" "/run/corefab/$app.gap" "$home/switching" "$home/deploying"
current_of "$app"
[ -z "$changed" ] || echo "$changed"
