# start APP RELEASE SLOT SWITCH: start a staged release in the slot that does not serve. With SWITCH
# restart, the front door holds and what serves stops first: no two of them may run at once. From then on
# a guard waits for the end of whoever deploys: on stdin are two lines, the scripts `guard` and `undo`,
# compressed.
# So it goes with SWITCH socket when the sockets are not open as the release wants them: no two can be
# bound to one port.
# shellcheck shell=bash
app=$1 release=$2 slot=$3 switch=$4
guard='' undo=''
{ read -r guard && read -r undo; } || true
one_at_a_time "$app"
home=$(home_of "$app")
old=$(serving_slot "$app")
[ "$old" != "$slot" ] || fail "slot $slot serves: another deploy ran meanwhile"
[ -e "$home/releases/$release/manifest.json" ] || fail "release $release is not on this node"
if [ -n "$old" ] && takes_socket "$app" "$old" && takes_socket "$app" "releases/$release" \
  && ! socket_fits "$app" "releases/$release"; then
  switch=restart
fi
mark_switching "$app" "$slot" "$switch"

install_files "$app" "$release" "$(other_slot "$slot")"
if [ "$switch" = restart ] && [ -n "$old" ]; then
  if [ -n "$undo" ]; then
    # systemd expands what looks like a variable in arguments: the text goes as it came.
    # shellcheck disable=SC2016
    systemd-run --quiet --collect bash -c 'text=$(base64 -d <<<"$1" | gzip -dc); shift; eval "$text"' \
      guard "$guard" "$app" "$undo"
  fi
  door "$app" hold
  date +%s%3N >"/run/corefab/$app.gap"
  # First, lest a visitor who waits in it starts the old one again.
  systemctl stop "$app.socket" 2>/dev/null || true
  systemctl stop "$app-$old.service"
fi
# What an earlier switch left goes first: a slot that drains still holds the ports it was given.
systemctl stop "$app-$slot.service" 2>/dev/null || true
drop_socket "$app"
podman tag "localhost/$app:$release" "localhost/$app:$slot"
relink "releases/$release" "$home/$slot"
# A socket that is open goes on starting the old slot until this one is proven.
systemctl -q is-active "$app.socket" || aim_socket "$app" "$slot"
# Below /run: a reboot forgets the trial, and starts what served alone.
relink "$home/releases/$release" "/run/corefab/$app.trial"
printf '%s %s\n' "$slot" "$(date +%s)" >"$home/releases/$release/ran"
start_slot "$app" "$slot" || fail "$app-$slot.service did not start"
