# undo APP: put back what served before an unfinished deploy, and forget that deploy. Says which
# release serves then; a deploy that had ended is not undone.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
# What a stage that was killed left has no mark.
rm -rf "$home"/releases/*.new
if [ ! -e "$home/deploying" ]; then
  current_of "$app"
  exit 0
fi
# A marker that cannot be read still says that something was begun; `current` says what serves.
release=$(jq -re .release "$home/deploying" 2>/dev/null || true)
previous=$(jq -re .previous "$home/deploying" 2>/dev/null || current_of "$app")

# to_previous SLOT SWITCH: the slot that served serves again, then SLOT stops.
to_previous() {
  local slot=$1 old
  old=$(other_slot "$slot")
  if [ "$2" = restart ]; then
    # Visitors wait until the old one is back, and are not refused.
    systemctl -q is-active "$app-$old.service" || door "$app" hold
    systemctl stop "$app.socket" 2>/dev/null || true
    stop_slot "$app" "$slot"
  fi
  if [ -n "$release" ]; then remove_files "$app" "$release" "$previous"; fi
  # No room for a file is no reason to leave the old slot down: it is told of in the end.
  install_files "$app" "$previous" &
  wait $! || whole=no
  relink "releases/$previous" "$home/$old"
  relink "releases/$previous" "$home/current"
  podman tag "localhost/$app:$previous" "localhost/$app:$old" || true
  aim_socket "$app" "$old"
  # Where it runs on, as it does unless all of this is long ago, it is left alone.
  systemctl -q is-active "$app-$old.service" || start_slot "$app" "$old" || true
  door "$app" open
  systemctl start "$app-door.service"
  stop_slot "$app" "$slot"
  drop_socket "$app"
}

to_nothing() {
  rm -f "$home/current"
  systemctl stop "$app-door.service" 2>/dev/null || true
  nft delete table inet "$app-door" 2>/dev/null || true
  stop_slot "$app" "$1"
  drop_socket "$app"
}

# keep_failed: what was started and failed stays to be looked at; one at the most, and stopped.
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

# forget: what was never started is dropped, but its image, so that the next try need not send it
# again; one at the most.
forget() {
  if podman image exists "localhost/$app:$release"; then
    podman tag "localhost/$app:$release" "localhost/$app:failed"
    podman untag "localhost/$app:$release" "localhost/$app:$release"
  fi
  rm -rf "$home/releases/${release:?}"
}

whole=yes
if [ -e "$home/switching" ]; then
  read -r slot switch <"$home/switching"
  # Where the manifest of what served cannot be read, its slot still says which release it is.
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
