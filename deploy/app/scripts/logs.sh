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
# Drop podman's own events: each repeats every label of the image.
journalctl --quiet --no-pager --output=cat --unit="$app-$slot.service" \
  --since="@$since" ${until:+--until="@$((until + 1))"} \
  | { grep -vE ' (container|image) [a-z]+ [0-9a-f]{64} |^[0-9a-f]{64}$|^conmon [0-9a-f]+ ' || true; } \
  | tail -n "$lines"
