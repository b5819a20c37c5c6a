# prove-slot APP SLOT HOST PATH FINGERPRINT SECONDS SETTLE: wait up to SECONDS until a slot is healthy
# over HTTPS and shows the expected certificate, then require that it stays so for SETTLE seconds. A
# slot that shares its sockets with the other cannot be reached directly: there, container health and
# the supervisor's own report decide.
# shellcheck shell=bash
app=$1 slot=$2 host=$3 path=$4 fingerprint=$5 seconds=$6 settle=$7
unit=$app-$slot.service
text=/etc/containers/systemd/$app-$slot.container
address=$(sed -n 's/^Network=.*:ip=\([0-9.]*\).*/\1/p' "$text")
port=$(sed -n 's/^Environment=HTTPS_PORT=//p' "$text")

# problem: print what is wrong with the slot; nothing when it is healthy.
problem() {
  local health
  health=$(podman inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{end}}' \
    "$app-$slot" 2>/dev/null || true)
  case $health in
    "" | healthy) ;;
    *) echo "its container is $health" && return ;;
  esac
  if takes_socket "$app" "$slot"; then reported; else visited; fi
}

# reported: the problem by what systemd and the supervisor report.
reported() {
  local said
  if ! systemctl -q is-active "$unit"; then
    echo "it is not active"
  elif [ -n "$status_command" ]; then
    said=$(status || true)
    jq -er 'if .state == "healthy" then "" else "its supervisor says \(.state)" end' \
      <<<"$said" 2>/dev/null || echo "its supervisor does not answer"
  fi
}

# visited: the problem that a visitor would see.
visited() {
  local said found status
  if ! said=$(curl -sSk --noproxy '*' --max-time 5 --connect-to "::$address:$port" \
    -o /dev/null -w '\nstatus %{http_code}\n%{certs}' "https://$host:$port$path" 2>&1); then
    sed -n 's/^curl: ([0-9]*) //p' <<<"$said"
    return
  fi
  found=$(openssl x509 -outform der <<<"$said" 2>/dev/null | sha256sum | cut -d ' ' -f 1)
  if [ "$found" != "$fingerprint" ]; then
    echo "shows certificate ${found:0:16}, not the expected one"
    return
  fi
  status=$(sed -n 's/^status //p' <<<"$said")
  case $status in
    2??) ;;
    *) echo "the health path answers $status" ;;
  esac
}

# died: why waiting longer is useless; nothing while there is hope.
died() {
  local word restarts
  word=$(systemctl show -P ActiveState "$unit")
  restarts=$(systemctl show -P NRestarts "$unit")
  case $word in
    failed | inactive) echo "the app is $word" ;;
    *) if [ "$restarts" -ge 3 ]; then echo "the app was restarted $restarts times"; fi ;;
  esac
}

# restarts: how often systemd and, if there is one, the app's supervisor restarted something. A worker
# may die and be back between two checks: only the count shows it.
status_command=$(podman inspect --format '{{index .Config.Labels "io.corefab.status"}}' \
  "$app-$slot" 2>/dev/null || true)
status() {
  local command
  read -ra command <<<"$status_command"
  in_container "$app-$slot" 10 "${command[@]}" 2>/dev/null
}
restarts() {
  local workers=0
  if [ -n "$status_command" ]; then
    workers=$(status | jq '[.workers[].restarts] | add' 2>/dev/null || echo 0)
  fi
  echo "$(systemctl show -P NRestarts "$unit") $workers"
}

until=$((SECONDS + seconds))
healthy_since=
before=
while true; do
  found=$(problem)
  if [ -z "$found" ]; then
    if [ -z "$healthy_since" ]; then healthy_since=$SECONDS before=$(restarts); fi
    if [ $((SECONDS - healthy_since)) -ge "$settle" ]; then
      [ "$settle" -gt 0 ] && [ "$(restarts)" != "$before" ] || exit 0
      fail "slot $slot answers, but something in it was restarted within $settle s"
    fi
    # Nothing announces that an app becomes unhealthy: polling is the only way.
    sleep 0.3
    continue
  fi
  if [ -n "$healthy_since" ]; then
    fail "the app was healthy for $((SECONDS - healthy_since)) s and then was not: $found"
  fi
  reason=$(died)
  if [ -z "$reason" ] && [ "$SECONDS" -ge "$until" ]; then reason="not healthy within $seconds s"; fi
  [ -z "$reason" ] || fail "slot $slot: $reason: $found"
  sleep 0.1
done
