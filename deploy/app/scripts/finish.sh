# finish APP RELEASE KEEP AUDIT: record a healthy release; remove the oldest releases beyond KEEP.
# AUDIT is a line of JSON; on stdin is the manifest, with the seconds of each step.
# shellcheck shell=bash
app=$1 release=$2 keep=$3 audit=$4
one_at_a_time "$app"
home=$(home_of "$app")
previous=$(jq -r .previous "$home/deploying")
write_manifest "$app" "$release"
audit "$audit"
# The receipt stays when the release is removed. One that the node made by itself has none.
for part in receipt.json.sig receipt.json; do
  if [ -e "$home/releases/$release/$part" ]; then
    mv -fT "$home/releases/$release/$part" "$home/receipts/$release${part#receipt}"
  fi
done
# Until now, the other slot had the old release's unit.
if [ -n "$previous" ]; then remove_files "$app" "$previous" "$release"; fi
install_files "$app" "$release"
if [ -n "$previous" ] && has_route "$app" "$previous" && ! has_route "$app" "$release"; then
  remove_route "$app"
fi
rm -f "$home/switching" "$home/deploying"
for tag in failed sent; do
  podman untag "localhost/$app:$tag" "localhost/$app:$tag" 2>/dev/null || true
done
# A failed release (undo keeps one at most) does not count.
while IFS= read -r old; do
  [ "$old" != "$release" ] || continue
  podman rmi "localhost/$app:$old" >/dev/null 2>&1 || true
  rm -rf "$home/releases/${old:?}"
done < <(
  cd "$home/releases" || exit
  for one in */; do
    [ -e "$one/failed" ] || printf '%s\n' "${one%/}"
  done | sort -r | tail -n "+$((keep + 1))"
)
