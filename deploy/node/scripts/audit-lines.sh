# audit-lines APP COUNT: print the last lines of the journal of changes about an app and the machine;
# about every app if APP is `-`.
# shellcheck shell=bash
app=$1 count=$2
log=/var/lib/corefab/audit.log
[ -e "$log" ] || exit 0
jq -cR --arg app "$app" \
  'fromjson? | objects | select($app == "-" or .app == $app or .app == "node")' "$log" \
  | tail -n "$count"
