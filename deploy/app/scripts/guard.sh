# guard APP UNDO: wait for the app's lock, which is released when the deploy or its connection ends. If
# visitors are still held at the front door then, roll back: run UNDO, which is that script, compressed.
# shellcheck shell=bash
app=$1 undo=$2
lock=/run/corefab/$app.lock
held=/run/corefab/$app.held
exec 9<>"$lock"
flock 9
# A script of the lost connection may still run.
flock "/run/corefab/$app.work" true
[ -e "$held" ] || exit 0
holder=$(jq -cn --argjson pid $$ --arg since "$(date -u +%Y-%m-%dT%H:%M:%S+00:00)" \
  '{who: "the node", what: "undoing a deploy whose connection was lost", $since, $pid}')
printf '%s\n' "$holder" >"$lock"
text=$(base64 -d <<<"$undo" | gzip -dc)
release=$(jq -r '.release // ""' "$(home_of "$app")/deploying")
bash -c "$text" undo "$app"
audit "$(jq -cn --arg app "$app" --arg release "$release" \
  --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" \
  '{at: $at, app: $app, what: "undo", who: "the node", result: "ok", $release,
    detail: "the connection was lost while visitors were held at the front door"}')"
