# finish APP RELEASE KEEP AUDIT: the release has proven itself: write it down, drop the oldest
# beyond KEEP. AUDIT is a line of JSON; on stdin is the manifest, with what the deploy found out.
# shellcheck shell=bash
app=$1 release=$2 keep=$3 audit=$4
one_at_a_time "$app"
home=$(home_of "$app")
previous=$(jq -r .previous "$home/deploying")
write_manifest "$app" "$release"
audit "$audit"
# The other slot's unit was the old release's until now.
if [ -n "$previous" ]; then remove_files "$app" "$previous" "$release"; fi
install_files "$app" "$release"
rm -f "$home/switching" "$home/deploying"
for tag in failed sent; do
  podman untag "localhost/$app:$tag" "localhost/$app:$tag" 2>/dev/null || true
done
# One failed release is kept at the most, and counts for none of those that served.
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
