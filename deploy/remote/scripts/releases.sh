# releases APP: the releases that this node keeps, oldest first, as JSON: manifest, and whether it failed.
# shellcheck shell=bash
app=$1
home=$(home_of "$app")
for file in "$home"/releases/*/manifest.json; do
  [ -e "$file" ] || continue
  jq -ce --argjson failed "$([ -e "${file%/*}/failed" ] && echo true || echo false)" \
    '{manifest: ., failed: $failed}' "$file" || true
done | jq -cs .
