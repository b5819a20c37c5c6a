# start APP RELEASE SLOT SWITCH: start a staged release in the slot that does not serve.
# With SWITCH=restart, two releases may not run at once: hold visitors at the front door and stop the old
# slot first. With SWITCH=socket the same is done when the release needs other sockets than are open. A
# guard then undoes the deploy if its connection ends early; stdin has two lines for it, the scripts
# `guard` and `undo`, compressed. Prints warnings.
# shellcheck shell=bash
app=$1 release=$2 slot=$3 switch=$4
guard='' undo=''
{ read -r guard && read -r undo; } || true
one_at_a_time "$app"
home=$(home_of "$app")
old=$(serving_slot "$app")
[ "$old" != "$slot" ] || fail "slot $slot serves: another deploy ran meanwhile"
[ -e "$home/releases/$release/manifest.json" ] || fail "release $release is not on this node"
check_files "$app" "$release"
owner=
if names_user "$app" "$release"; then owner=$(image_user "$app" "$release"); fi
if [ -n "$old" ] && takes_socket "$app" "$old" && takes_socket "$app" "releases/$release" \
  && ! socket_fits "$app" "releases/$release"; then
  switch=restart
fi
if has_route "$app" "$release"; then proxy check "$app" "$release"; fi
mark_switching "$app" "$slot" "$switch"

install_files "$app" "$release" "$(other_slot "$slot")"
[ -z "$owner" ] || own_by "$owner" "$app" "$release"
if [ "$switch" = restart ] && [ -n "$old" ]; then
  if [ -n "$undo" ]; then
    # Base64 keeps systemd from expanding what looks like a variable in its arguments.
    # shellcheck disable=SC2016
    systemd-run --quiet --collect bash -c 'text=$(base64 -d <<<"$1" | gzip -dc); shift; eval "$text"' \
      guard "$guard" "$app" "$undo"
  fi
  door "$app" hold
  # Whoever was led to the old slot just before is to reach it.
  if behind_proxy "$app"; then sleep 0.3; fi
  date +%s%3N >"/run/corefab/$app.gap"
  # The socket stops first: a visitor waiting in it would start the old slot again.
  systemctl stop "$app.socket" 2>/dev/null || true
  systemctl stop "$app-$old.service"
fi
# Stop what an earlier switch left: a draining slot still occupies its ports.
systemctl stop "$app-$slot.service" 2>/dev/null || true
drop_socket "$app"
podman tag "localhost/$app:$release" "localhost/$app:$slot"
relink "releases/$release" "$home/$slot"
# An open socket goes on starting the old slot until this one is checked.
systemctl -q is-active "$app.socket" || aim_socket "$app" "$slot"
# Below /run: after a reboot only the slot that served starts.
relink "$home/releases/$release" "/run/corefab/$app.trial"
printf '%s %s\n' "$slot" "$(date +%s)" >"$home/releases/$release/ran"
start_slot "$app" "$slot" || fail "$app-$slot.service did not start"
