# logs APP LINES [RELEASE]: print the last lines that a release's container and unit wrote; by default,
# those of the release that serves.
# shellcheck shell=bash
app=$1 lines=$2 release=${3:-}
home=$(home_of "$app")
if [ -z "$release" ]; then release=$(current_of "$app"); fi
[ -n "$release" ] || fail "nothing of $app is deployed"
[ -d "$home/releases/$release" ] || fail "release $release is not on this node"
[ -e "$home/releases/$release/ran" ] || fail "release $release was never started"
{
  read -r slot since
  read -r until || until=
} <"$home/releases/$release/ran"
unit=_SYSTEMD_UNIT=$app-$slot.service
journal() {
  journalctl --quiet --no-pager --output=cat --since="@$since" ${until:+--until="@$((until + 1))"} "$@"
}
# What systemd says of the unit, the unit's own output, and the container's; not podman's events, each
# of which repeats every label of the image, nor the ids that podman prints.
journal _PID=1 UNIT="$app-$slot.service" + "$unit" _TRANSPORT=stdout + "$unit" CONTAINER_NAME="$app-$slot" \
  | { grep -avxFf <(journal --output-fields=PODMAN_ID "$unit" PODMAN_EVENT=start | sort -u) || true; } \
  | tail -n "$lines"
