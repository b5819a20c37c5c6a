# move APP RELEASE: the front door leads to a release that was proven in its slot, and `current` with
# it. Says for how many milliseconds the door held, where it did.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
home=$(home_of "$app")
read -r slot _ <"$home/switching"
[ "$home/$slot" -ef "$home/releases/$release" ] || fail "slot $slot holds another release than $release"
relink "releases/$release" "$home/current"
door "$app" open
if [ -e "/run/corefab/$app.gap" ]; then
  echo $(($(date +%s%3N) - $(cat "/run/corefab/$app.gap")))
  rm -f "/run/corefab/$app.gap"
fi
rm -f "/run/corefab/$app.trial"
systemctl start "$app-door.service"
