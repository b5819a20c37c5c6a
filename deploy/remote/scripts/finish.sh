# finish APP RELEASE KEEP AUDIT: the release has proven itself: write it down, drop the oldest
# beyond KEEP. AUDIT is a line of JSON; on stdin is the manifest, with what the deploy found out.
# shellcheck shell=bash
app=$1 release=$2 keep=$3 audit=$4
one_at_a_time "$app"
home=$(home_of "$app")
write_manifest "$app" "$release"
audit "$audit"
rm -f "$home/switching" "$home/deploying"
for tag in failed sent; do
  podman untag "localhost/$app:$tag" "localhost/$app:$tag" 2>/dev/null || true
done
while IFS= read -r old; do
  [ "$old" != "$release" ] || continue
  podman rmi "localhost/$app:$old" >/dev/null 2>&1 || true
  rm -rf "$home/releases/${old:?}"
done < <(cd "$home/releases" && printf '%s\n' */ | tr -d / | sort -r | tail -n "+$((keep + 1))")
