# pull-status APP [now]: print the result of the updater's last look at its tag as JSON. With `now`, have it look
# first, whatever PULL_MODE and PULL_DELAY say and what failed before. APP `node` is the node's own bundle.
# shellcheck shell=bash
app=$1 now=${2:-}
updater=/etc/corefab/pull/$app/pull.sh
status=/var/lib/corefab/pull/$app/status.json
if [ "$app" = node ]; then
  [ -e /etc/corefab/pull/node/bundle.sh ] || fail 'this node takes no bundles: set PULL_NODE'
  updater=/etc/corefab/pull/node/bundle.sh
fi
[ -e "$updater" ] || fail "$app follows no tag on this node: set PULL, then \`fab deploy\`"
if [ -n "$now" ]; then
  systemd-run --quiet --collect --wait --unit="$app-pull-now" bash "$updater" "$app" now >/dev/null 2>&1 || true
fi
[ -e "$status" ] || fail "the node has not looked yet; \`fab pull\` has it look now"
cat "$status"
