# unlock APP LINE: end the connection that holds the app's lock, write LINE (JSON) to the journal of
# changes, and print the holder; `null` if the lock is free. Releasing only the lock would let its
# holder go on.
# shellcheck shell=bash
app=$1 line=$2
lock=/run/corefab/$app.lock
# With SWITCH=restart the node first puts back the release that served, and holds the lock for it.
patience_seconds=60
if [ ! -e "$lock" ]; then
  echo null
  exit 0
fi
exec 9<>"$lock"
if flock -n 9; then
  echo null
  exit 0
fi
holder=$(jq -ce 'objects' "$lock") || fail "the lock of $app does not say who holds it"
pid=$(jq -r '.pid // empty' <<<"$holder")
if [ -z "$pid" ] || [ "$(readlink "/proc/$pid/fd/9")" != "$lock" ]; then
  fail "the process that holds the lock of $app is not known: $holder"
fi

# The sshd session of the holder: ending it ends everything the holder does.
session=$pid
while [ "$session" -gt 1 ]; do
  read -r name <"/proc/$session/comm"
  case $name in sshd*) break ;; esac
  session=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$session/status")
done
[ "$session" -gt 1 ] || session=$pid
kill "$session"
flock -w "$patience_seconds" 9 || fail "the holder of the lock of $app does not end: $holder"
: >"$lock"
audit "$(jq -c --argjson holder "$holder" \
  '.detail = "broke the lock of \($holder.who) (\($holder.what), since \($holder.since)): \(.detail)"' \
  <<<"$line")"
printf '%s\n' "$holder"
