# stage-again APP RELEASE FROM PREVIOUS: make a release of what a kept one was, without its having to
# travel again: files as hard links, sealed credentials, the image's tag. The manifest is on stdin.
# shellcheck shell=bash
app=$1 release=$2 from=$3 previous=$4
one_at_a_time "$app"
home=$(home_of "$app")
[ ! -e "$home/deploying" ] || fail "another deploy of $app has begun and has not ended"
found=$(current_of "$app")
[ "$found" = "$previous" ] \
  || fail "the release on this node is ${found:-none}, not ${previous:-none}: somebody deployed meanwhile"
[ -e "$home/releases/$from/manifest.json" ] || fail "release $from is not on this node"
podman image exists "localhost/$app:$from" || fail "the image of release $from is gone from this node"
staged=$home/releases/$release
rm -rf "$staged.new"
cp -al "$home/releases/$from" "$staged.new"
rm -f "$staged.new/ran" "$staged.new/failed" "$staged.new/manifest.json"
cat >"$staged.new/manifest.json"
label "$staged.new/manifest.json"
jq -cn --arg release "$release" --arg previous "$previous" \
  '{release: $release, previous: $previous}' >"$home/deploying.new"
sync "$home/deploying.new" "$staged.new/manifest.json"
mv -fT "$home/deploying.new" "$home/deploying"
mv -T "$staged.new" "$staged"
podman tag "localhost/$app:$from" "localhost/$app:$release"
