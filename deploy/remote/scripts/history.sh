# history APP: a line of JSON for each release of an app that this node keeps. `bytes` is what its
# folder takes on disk by itself; unchanged project files are hard links and lie there once.
# shellcheck shell=bash
app=$1
home=$(home_of "$app")
serving=$(current_of "$app")
for folder in "$home"/releases/*/; do
  manifest=$folder/manifest.json
  jq -e objects "$manifest" >/dev/null 2>&1 || continue
  name=$(basename "$folder")
  jq -c --arg name "$name" --arg serving "$serving" \
    --argjson failed "$(if [ -e "$folder/failed" ]; then echo true; else echo false; fi)" \
    --argjson bytes "$(du -sB1 "$folder" | cut -f 1)" \
    --argjson image_bytes "$(podman image inspect --format '{{.Size}}' "localhost/$app:$name" 2>/dev/null || echo 0)" \
    '. + {release: $name, serves: ($name == $serving), failed: $failed, bytes: $bytes,
          image_bytes: $image_bytes, files: (.files | length), units: (.units | length)}' "$manifest"
done
