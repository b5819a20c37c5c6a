# stage-again APP RELEASE FROM PREVIOUS: stage a copy of the kept release FROM, on the node alone: its
# files as hard links, sealed credentials, and image. The new manifest is on stdin.
# shellcheck shell=bash
app=$1 release=$2 from=$3 previous=$4
one_at_a_time "$app"
home=$(home_of "$app")
refuse_another "$app" "$previous"
[ -e "$home/releases/$from/manifest.json" ] || fail "release $from is not on this node"
podman image exists "localhost/$app:$from" || fail "the image of release $from is gone from this node"
check_credentials "$app" "$from"
staged=$home/releases/$release
rm -rf "$home"/releases/*.new
mark_deploying "$app" "$release" "$previous"
cp -al "$home/releases/$from" "$staged.new"
rm -f "$staged.new/ran" "$staged.new/failed" "$staged.new/manifest.json" "$staged.new"/receipt.json*
cat >"$staged.new/manifest.json"
label "$staged.new/manifest.json"
sync "$staged.new/manifest.json"
mv -T "$staged.new" "$staged"
podman tag "localhost/$app:$from" "localhost/$app:$release"
