# collected: print what the command `collect` gathered on this node since it started.
# shellcheck shell=bash
[ -e /run/corefab/collected ] || fail "nothing was collected since this node started: \`fab node-command collect\`"
cat /run/corefab/collected
