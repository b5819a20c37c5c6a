# guard APP UNDO: wait for the app's lock, which is released when the deploy or its connection ends. If
# visitors are still held at the front door then, roll back: run UNDO, which is that script, compressed.
# shellcheck shell=bash
app=$1 undo=$2
held=/run/corefab/$app.held
lock=$(lock_file "$app.lock")
exec 9<>"$lock"
until flock -w 60 9; do
  [ -e "$held" ] || exit 0
  echo "visitors of $app are held at the front door until its lock is free: $(holder_of "$lock")" >&2
done
# A script of the lost connection may still run.
(one_at_a_time "$app")
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
