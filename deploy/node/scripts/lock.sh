# lock APP HOLDER SECONDS: hold the app's lock for as long as this connection lives. HOLDER is JSON;
# wait for another holder so many seconds.
# shellcheck shell=bash
app=$1 holder=$2 seconds=$3
install -d -m 0755 /run/corefab
exec 9<>"/run/corefab/$app.lock"
said=held
if ! flock -n 9; then
  said=waited
  if ! flock -w "$seconds" 9; then
    cat "/run/corefab/$app.lock" >&2
    exit 75
  fi
fi
# With our process: `unlock` ends the connection that it belongs to.
jq -c --argjson pid $$ '. + {pid: $pid}' <<<"$holder" >"/run/corefab/$app.lock"
echo $said
# Ends when the other end of the connection goes away.
cat >/dev/null
