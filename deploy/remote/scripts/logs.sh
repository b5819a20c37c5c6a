# logs APP LINES: the last lines that the app's container and unit wrote.
# shellcheck shell=bash
app=$1 lines=$2
journalctl --quiet --no-pager --output=cat --lines="$lines" --unit="$app.service" \
  || fail "no journal of $app.service"
