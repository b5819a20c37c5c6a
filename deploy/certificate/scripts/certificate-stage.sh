# certificate-stage APP RELEASE: lay the next certificate of the serving release beside the present
# one, from stdin (tar): tls/ and the release's manifest. Nothing that serves is touched.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
home=$(home_of "$app")
[ ! -e "$home/deploying" ] || fail "a deploy of $app has begun and has not ended; run \`fab deploy\`"
[ "$(current_of "$app")" = "$release" ] || fail "the release on this node is not $release any more"
folder=$home/releases/$release
# A swap that was cut off half-way left a mix, for its manifest comes last: undone before another.
if cmp -s "$folder/before/manifest.json" "$folder/manifest.json"; then
  install_certificate "$app" "$folder" "$folder/before"
fi
rm -rf "$folder/next" "$folder/before"
install -d -m 0755 "$folder/next"
tar -x -f - -C "$folder/next" --no-same-owner
