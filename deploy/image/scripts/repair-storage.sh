# repair-storage APP: remove damaged layers from podman's storage, with the images and containers of any
# app that use them, and print podman's output. The app stops, since a running container cannot be
# removed.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
[ ! -e "$(home_of "$app")/deploying" ] || fail "a deploy of $app is unfinished: run \`fab deploy\` first"
for unit in "$app.socket" "$app-blue.service" "$app-green.service"; do
  systemctl stop "$unit" 2>/dev/null || true
done
# Podman exits with 125 even if it repaired everything, so check again.
podman system check --repair --force 2>&1 || true
if ! said=$(podman system check 2>&1); then
  # The repair failed: start the app again as it was.
  slot=$(serving_slot "$app")
  if [ -n "$slot" ]; then
    if takes_socket "$app" "$slot"; then systemctl start "$app.socket" || true; fi
    start_slot "$app" "$slot" || true
  fi
  fail "podman cannot repair its storage: ${said##*$'\n'}"
fi
