# receipts APP all|last: print the receipts of an app, oldest first, and the releases that the node keeps; or only
# the last receipt. A release that is in the middle of a deploy is `unfinished`.
# shellcheck shell=bash disable=SC2016
app=$1 which=$2
home=$(home_of "$app")

# receipts_of: a row for each receipt: its release, its content and its signature in base64.
receipts_of() {
  local from=+1 name
  [ "$which" = all ] || from=1
  { find "$home/receipts" -maxdepth 1 -type f -name '*.json' -printf '%f\n' 2>/dev/null || true; } | sort | tail -n "$from" \
    | while IFS= read -r name; do
      name=${name%.json}
      row "$name" "$(base64 -w 0 "$home/receipts/$name.json")" "$(base64 -w 0 "$home/receipts/$name.json.sig" 2>/dev/null || true)"
    done
}

# releases_of: an object for each release.
releases_of() {
  local folder name manifest serving unfinished
  [ "$which" = all ] || return 0
  serving=$(current_of "$app")
  unfinished=$(jq -r '.release // empty' "$home/deploying" 2>/dev/null || true)
  for folder in "$home"/releases/*/; do
    name=$(basename "$folder")
    manifest=$(manifest_of "$app" "releases/$name")
    [ "$manifest" != null ] || continue
    jq -c --arg release "$name" --argjson serves "$([ "$name" = "$serving" ] && echo true || echo false)" \
      --argjson failed "$([ -e "$folder/failed" ] && echo true || echo false)" \
      --argjson unfinished "$([ "$name" = "$unfinished" ] && echo true || echo false)" \
      '{$release, manifest: ., $serves, $failed, $unfinished}' <<<"$manifest"
  done
}

answer --rawfile receipts <(receipts_of) --slurpfile releases <(releases_of) \
  '{receipts: ($receipts | table("release content signature")), $releases}'
