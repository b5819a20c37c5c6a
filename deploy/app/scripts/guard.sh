# guard APP UNDO: wait until nobody holds the app's lock. A front door that is held by then lets nobody
# in, and nobody is left to open it: put back what served. UNDO is that script, compressed.
# shellcheck shell=bash
app=$1 undo=$2
lock=/run/corefab/$app.lock
held=/run/corefab/$app.held
exec 9<>"$lock"
flock 9
# A script of the connection that was cut may still work.
flock "/run/corefab/$app.work" true
[ -e "$held" ] || exit 0
holder=$(jq -cn --argjson pid $$ --arg since "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" \
  '{who: "the node", what: "putting back a deploy that was cut off", $since, $pid}')
printf '%s\n' "$holder" >"$lock"
text=$(base64 -d <<<"$undo" | gzip -dc)
release=$(jq -r '.release // ""' "$(home_of "$app")/deploying")
bash -c "$text" undo "$app"
audit "$(jq -cn --arg app "$app" --arg release "$release" \
  --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" \
  '{at: $at, app: $app, what: "undo", who: "the node", result: "ok", $release,
    detail: "whoever held the front door went away"}')"
