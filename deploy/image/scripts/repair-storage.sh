# repair-storage APP: take out of podman's storage what is damaged, with the images that have it and the
# containers made of them, of whatever app. Says what podman says. The app stops: a container in use
# cannot be taken out.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
[ ! -e "$(home_of "$app")/deploying" ] || fail "a deploy of $app is unfinished: run \`fab deploy\` first"
for unit in "$app.socket" "$app-blue.service" "$app-green.service"; do
  systemctl stop "$unit" 2>/dev/null || true
done
# What was repaired is reported as damaged, by exit code 125: what counts is the second look.
podman system check --repair --force 2>&1 || true
if ! said=$(podman system check 2>&1); then
  # Nothing will be sent: what served may do so still.
  slot=$(serving_slot "$app")
  if [ -n "$slot" ]; then
    if takes_socket "$app" "$slot"; then systemctl start "$app.socket" || true; fi
    start_slot "$app" "$slot" || true
  fi
  fail "podman cannot mend it: ${said##*$'\n'}"
fi
