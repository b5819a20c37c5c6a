# tag-image APP RELEASE ID: give the release its image, which must be here by now.
# shellcheck shell=bash
app=$1 release=$2 id=$3
one_at_a_time "$app"
podman image exists "$id" || fail "image $id did not arrive on this node"
podman tag "$id" "localhost/$app:$release"
