# certificate-stage APP RELEASE: store the next certificate of the serving release beside the
# present one, from stdin (tar): tls/ and the manifest. Nothing that serves is changed.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
home=$(home_of "$app")
[ ! -e "$home/deploying" ] || fail "a deploy of $app is not finished; run \`fab deploy\`"
[ "$(current_of "$app")" = "$release" ] || fail "the release on this node is not $release any more"
folder=$home/releases/$release
# The manifest is installed last: where it is still the old one, a swap was interrupted. Undo that.
if cmp -s "$folder/before/manifest.json" "$folder/manifest.json"; then
  install_certificate "$app" "$folder" "$folder/before"
fi
rm -rf "$folder/next" "$folder/before"
install -d -m 0755 "$folder/next"
tar -x -f - -C "$folder/next" --numeric-owner
# Its user may be one that the image names: the key goes to whoever has the present one. An older corefab
# left that readable by all, with root as its owner.
if [ "$(stat -c %a "$folder/tls/server.key.enc")" = 400 ]; then
  chown --reference="$folder/tls/server.key.enc" "$folder/next/tls/server.key.enc"
fi
