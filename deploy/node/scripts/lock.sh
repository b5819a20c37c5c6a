# lock APP HOLDER SECONDS: hold the app's lock until this connection closes. HOLDER (JSON) describes the
# holder. Wait up to SECONDS for another holder; then exit with 75 and print that holder on stderr.
# shellcheck shell=bash
app=$1 holder=$2 seconds=$3
lock=$(lock_file "$app.lock")
exec 9<>"$lock"
said=held
if ! flock -n 9; then
  said=waited
  if ! flock -w "$seconds" 9; then
    holder_of "$lock" >&2
    exit 75
  fi
fi
# The pid lets `unlock` find the connection and end it.
jq -c --argjson pid $$ '. + {pid: $pid}' <<<"$holder" >"$lock"
echo $said
# Ends when the connection closes.
cat >/dev/null
