# releases APP: the releases that this node keeps, oldest first, as JSON: manifest, whether it serves or
# failed. `bytes` is what its folder takes on disk by itself; unchanged project files are hard links
# and lie there once.
# shellcheck shell=bash
app=$1
home=$(home_of "$app")
serving=$(current_of "$app")
for folder in "$home"/releases/*/; do
  jq -e objects "$folder/manifest.json" >/dev/null 2>&1 || continue
  name=$(basename "$folder")
  jq -c --argjson serves "$([ "$name" = "$serving" ] && echo true || echo false)" \
    --argjson failed "$([ -e "$folder/failed" ] && echo true || echo false)" \
    --argjson bytes "$(du -sB1 "$folder" | cut -f 1)" \
    --argjson image_bytes "$(podman image inspect --format '{{.Size}}' "localhost/$app:$name" \
      2>/dev/null || echo 0)" \
    '{manifest: ., $serves, $failed, $bytes, $image_bytes}' "$folder/manifest.json"
done | jq -cs .
