# workers APP: what the app's supervisor says of its workers, as JSON; `null` where there is none.
# The image names the command in its label io.corefab.status.
# shellcheck shell=bash
app=$1
slot=$(serving_slot "$app")
words=$(podman inspect --format '{{index .Config.Labels "io.corefab.status"}}' "$app-$slot" 2>/dev/null || true)
said=
if [ -n "$words" ]; then
  read -ra command <<<"$words"
  # Its exit code says whether all are well; so does what it prints.
  said=$(podman exec "$app-$slot" "${command[@]}" 2>/dev/null || true)
fi
printf '%s\n' "${said:-null}"
