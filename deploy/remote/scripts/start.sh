# start APP RELEASE SLOT SWITCH: start a staged release in the slot that does not serve. With SWITCH
# restart, the front door holds and what serves stops first: no two of them may run at once.
# shellcheck shell=bash
app=$1 release=$2 slot=$3 switch=$4
one_at_a_time "$app"
home=$(home_of "$app")
old=$(serving_slot "$app")
[ "$old" != "$slot" ] || fail "slot $slot serves: somebody deployed meanwhile"
[ -e "$home/releases/$release/manifest.json" ] || fail "release $release is not on this node"
printf '%s %s\n' "$slot" "$switch" >"$home/switching.new"
sync "$home/switching.new"
mv -fT "$home/switching.new" "$home/switching"

install_files "$app" "$release" "$(other_slot "$slot")"
if [ "$switch" = restart ] && [ -n "$old" ]; then
  door "$app" hold
  date +%s%3N >"/run/corefab/$app.gap"
  systemctl stop "$app-$old.service"
fi
podman tag "localhost/$app:$release" "localhost/$app:$slot"
relink "releases/$release" "$home/$slot"
# Below /run: a reboot forgets the trial, and starts what served alone.
relink "$home/releases/$release" "/run/corefab/$app.trial"
printf '%s %s\n' "$slot" "$(date +%s)" >"$home/releases/$release/ran"
start_slot "$app" "$slot" || fail "$app-$slot.service did not start"
