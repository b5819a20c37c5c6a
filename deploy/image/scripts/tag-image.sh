# tag-image APP RELEASE ID: tag the image for the release; it must be on this node.
# shellcheck shell=bash
app=$1 release=$2 id=$3
one_at_a_time "$app"
podman image exists "$id" || fail "image $id is not on this node"
podman tag "$id" "localhost/$app:$release"
