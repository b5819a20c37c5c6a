# move APP RELEASE: move the front door and `current` to a release that was checked in its slot. Prints
# for how many milliseconds visitors were held, if they were.
# An old slot that takes the same sockets is stopped: while it runs, it accepts visitors.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
home=$(home_of "$app")
read -r slot _ <"$home/switching"
[ "$home/$slot" -ef "$home/releases/$release" ] || fail "slot $slot holds another release than $release"
old=$(serving_slot "$app")
aim_socket "$app" "$slot"
relink "releases/$release" "$home/current"
door "$app" open
if has_route "$app" "$release"; then
  install_route "$app" "$release"
  proxy reload "$app" "$release"
fi
if [ -e "/run/corefab/$app.gap" ]; then
  echo $(($(date +%s%3N) - $(cat "/run/corefab/$app.gap")))
  rm -f "/run/corefab/$app.gap"
fi
rm -f "/run/corefab/$app.trial"
systemctl start "$app-door.service"
if [ -n "$old" ] && [ "$old" != "$slot" ] && takes_socket "$app" "$old" \
  && takes_socket "$app" "$slot"; then
  systemctl stop "$app-$old.service"
fi
