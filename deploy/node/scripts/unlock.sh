# unlock APP LINE: end the connection that holds the app's lock, write LINE (JSON) to the journal of
# changes, and print the holder; `null` if the lock is free. Releasing only the lock would let its
# holder go on.
# shellcheck shell=bash
app=$1 line=$2
# With SWITCH=restart the node first puts back the release that served, and holds the lock for it.
patience_seconds=60
lock=$(lock_file "$app.lock")
exec 9<>"$lock"
if flock -n 9; then
  echo null
  exit 0
fi
holder=$(holder_of "$lock")
# End each holder's sshd session, and with it everything the holder does.
for pid in $(holders "$lock"); do
  session=$pid
  while [ "${session:-0}" -gt 1 ]; do
    read -r name <"/proc/$session/comm" || break
    case $name in sshd*) break ;; esac
    session=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$session/status" || true)
  done
  if [ "${session:-0}" -le 1 ]; then session=$pid; fi
  # Another holder may have had the same session.
  kill "$session" || true
done 2>/dev/null
flock -w "$patience_seconds" 9 || fail "the holder of the lock of $app does not end: $holder"
: >"$lock"
audit "$(jq -c --argjson holder "$holder" \
  '.detail = "broke the lock of \($holder.who) (\($holder.what), since \($holder.since)): \(.detail)"' \
  <<<"$line")"
printf '%s\n' "$holder"
