# logs APP LINES: the last lines that the app's container and unit wrote.
# shellcheck shell=bash
app=$1 lines=$2
# Podman's own events fill the journal with every label of the image.
journalctl --quiet --no-pager --output=cat --unit="$app.service" \
  | { grep -vE ' (container|image) [a-z]+ [0-9a-f]{64} |^[0-9a-f]{64}$|^conmon [0-9a-f]+ ' || true; } \
  | tail -n "$lines"
