# maintenance APP on|off AUDIT: have the node's proxy answer 503 for an app, or lead to it again; it survives a
# reboot. AUDIT is a line of JSON.
# shellcheck shell=bash
app=$1 state=$2 audit=$3
one_at_a_time "$app"
behind_proxy "$app" || fail "the release of $app that serves has no route in this node's proxy (TLS=proxy)"
mark=$(home_of "$app")/maintenance before=off
if [ -e "$mark" ]; then before=on; fi

# note STATE: note what is wanted.
note() {
  if [ "$1" = off ]; then
    rm -f "$mark"
  else
    : >"$mark"
    sync "$mark"
  fi
}

note "$state"
bash /etc/corefab/proxy/proxy.sh reload || {
  note "$before"
  exit 1
}
audit "$audit"
