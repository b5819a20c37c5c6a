# releases APP: list the releases that this node keeps as JSON, oldest first. `bytes` is the disk space
# of a release's folder; project files that several releases share are hard links.
# shellcheck shell=bash
app=$1
home=$(home_of "$app")
serving=$(current_of "$app")
# One question for all: podman is slow to start.
sizes=$(find "$home/releases" -mindepth 1 -maxdepth 1 -printf "localhost/$app:%f\n" \
  | xargs -r podman image inspect --format '{{.Id}} {{.Size}}' 2>/dev/null || true)
for folder in "$home"/releases/*/; do
  name=$(basename "$folder")
  manifest=$(manifest_of "$app" "releases/$name")
  [ "$manifest" != null ] || continue
  jq -c --argjson serves "$([ "$name" = "$serving" ] && echo true || echo false)" \
    --argjson failed "$([ -e "$folder/failed" ] && echo true || echo false)" \
    --argjson bytes "$(du -sB1 "$folder" | cut -f 1)" \
    --arg sizes "$sizes" \
    '.image_id as $id | {manifest: ., $serves, $failed, $bytes,
      image_bytes: ([$sizes | split("\n")[] | split(" ") | select("sha256:\(.[0])" == $id) | .[1] | tonumber][0] // 0)}' \
    <<<"$manifest"
done | jq -cs .
