# audit-lines APP COUNT: the last lines of this node's journal of changes that are about an app or
# about the machine; about everything where APP is `-`.
# shellcheck shell=bash
app=$1 count=$2
log=/var/lib/corefab/audit.log
[ -e "$log" ] || exit 0
jq -cR --arg app "$app" \
  'fromjson? | objects | select($app == "-" or .app == $app or .app == "node")' "$log" \
  | tail -n "$count"
