# workers APP: print the supervisor's report on its workers as JSON; `null` without a supervisor. The
# image names the command in its label io.corefab.status.
# shellcheck shell=bash
app=$1
slot=$(serving_slot "$app")
words=$(podman inspect --format '{{index .Config.Labels "io.corefab.status"}}' "$app-$slot" 2>/dev/null || true)
said=
if [ -n "$words" ]; then
  read -ra command <<<"$words"
  # Its exit code says whether all workers are healthy; the report does too.
  said=$(in_container "$app-$slot" 10 "${command[@]}" 2>/dev/null || true)
fi
printf '%s\n' "${said:-null}"
