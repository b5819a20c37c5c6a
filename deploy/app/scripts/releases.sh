# releases APP: list the releases that this node keeps as JSON, oldest first. `bytes` is the disk space
# of a release's folder; project files that several releases share are hard links.
# shellcheck shell=bash
app=$1
home=$(home_of "$app")
serving=$(current_of "$app")
for folder in "$home"/releases/*/; do
  name=$(basename "$folder")
  manifest=$(manifest_of "$app" "releases/$name")
  [ "$manifest" != null ] || continue
  jq -c --argjson serves "$([ "$name" = "$serving" ] && echo true || echo false)" \
    --argjson failed "$([ -e "$folder/failed" ] && echo true || echo false)" \
    --argjson bytes "$(du -sB1 "$folder" | cut -f 1)" \
    --argjson image_bytes "$(podman image inspect --format '{{.Size}}' "localhost/$app:$name" \
      2>/dev/null || echo 0)" \
    '{manifest: ., $serves, $failed, $bytes, $image_bytes}' <<<"$manifest"
done | jq -cs .
