# prove-slot APP SLOT TLS AUTHORITY PATH FINGERPRINT SECONDS SETTLE: wait up to SECONDS until a slot is
# healthy, then require that it stays so for SETTLE seconds. TLS is app, where it answers over HTTPS with the
# expected certificate, or proxy or none, where it answers over plain HTTP; as the proxy asks it, or a visitor.
# AUTHORITY is what a browser sends as Host. Each of the slot's addresses that takes connections has to be
# healthy, and one has to take them, as deploy/app/health.py has it for visitors' addresses. A slot that
# shares its sockets with the other cannot be reached directly: there, container health and the supervisor's
# own report decide.
# shellcheck shell=bash
app=$1 slot=$2 tls=$3 authority=$4 path=$5 fingerprint=$6 seconds=$7 settle=$8
unit=$app-$slot.service
text=/etc/containers/systemd/$app-$slot.container
read -ra addresses < <(sed -n 's/^Network=.*:ip=\([0-9.]*\),ip6=\([0-9a-f:]*\),.*/\1 [\2]/p
  s/^Network=.*:ip=\([0-9.]*\),.*/\1/p' "$text")
scheme=http setting=CONTAINER_PORT variable=PORT forwarded=
case $tls in
  app) scheme=https setting=CONTAINER_HTTPS_PORT variable=HTTPS_PORT ;;
  # An app may redirect whoever did not come over HTTPS.
  proxy) forwarded='X-Forwarded-Proto: https' ;;
esac
port=$(sed -n "s/^Environment=$variable=//p" "$text")
socket=$(unix_socket "$app" "$slot")
version=
if grep -q '^			versions h2c$' "$(home_of "$app")/$slot/root/etc/corefab/routes/$app.caddy" 2>/dev/null; then
  version=--http2-prior-knowledge
fi
[ -z "$socket" ] || read -ra addresses <<<"$socket"

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

# fail_with WHY: fail; about a container that is not healthy, add what its health check is and says. It is run
# once more for that: podman keeps no word of one whose program is missing.
fail_with() {
  local words said code=0
  mapfile -d '' -t words < <(podman inspect "$app-$slot" 2>/dev/null | jq -j '
    .[0] | select(.State.Running and .State.Health.Status != "healthy").Config.Healthcheck.Test // []
    | if .[0] == "CMD-SHELL" then ["/bin/sh", "-c"] + .[1:] else .[1:] end | .[] | . + "\u0000"')
  [ ${#words[@]} -gt 0 ] || fail "$1$(listening)"
  said=$(in_container "$app-$slot" 10 "${words[@]}" 2>&1) || code=$?
  fail "$1
its health check is: ${words[*]}
it ends with exit code $code$(tail -n 3 <<<"${said:+: $said}")"
}

# listening: a line about what the app does at its port, where that is not what is expected.
listening() {
  local pid found=
  pid=$(podman inspect --format '{{.State.Pid}}' "$app-$slot" 2>/dev/null || true)
  if [ "${pid:-0}" -gt 0 ] && [ -e "/proc/$pid/ns/net" ]; then
    found=$(nsenter --net --target "$pid" ss -Hltn | awk '{ print $4 }' | sort -u)
  else
    pid=
  fi
  if [ -n "$socket" ] && [ -n "$pid" ]; then
    unreachable "$found"
  elif [ -z "$socket" ] && ! grep -q ":$port$" <<<"$found" && refused_port; then
    printf '\nit may not listen at a port below 1024: set CONTAINER_CAPABILITIES=NET_BIND_SERVICE'
    if [ "$port" -ge 1024 ]; then
      printf ' and %s to that port, or have it listen at port %s' "$setting" "$port"
    else
      printf ', or have it listen at a port from 1024 on and set %s to that' "$setting"
    fi
  elif [ -z "$pid" ]; then
    return 0
  elif [ -z "$found" ]; then
    printf '\nnothing listens in the container yet'
  elif ! grep -q ":$port$" <<<"$found"; then
    printf '\nit listens at %s, not at port %s: set %s' "$(paste -sd ' ' <<<"$found")" "$port" "$setting"
  elif ! grep ":$port$" <<<"$found" | grep -qvE '^(127\.|\[::1\])'; then
    printf '\nit listens at %s alone, which only the container reaches: have it listen at 0.0.0.0' \
      "$(grep ":$port$" <<<"$found" | paste -sd ' ')"
  elif [ "$scheme" = http ] && speaks https; then
    printf '\nit speaks TLS at port %s, where plain HTTP is expected: set TLS=app, or have it speak HTTP there' "$port"
  elif [ "$scheme" = https ] && speaks http; then
    printf '\nit speaks plain HTTP at port %s, where TLS is expected: set TLS=proxy and CONTAINER_PORT=%s' "$port" "$port"
  elif [ -n "$version" ] && speaks http --http1.1; then
    printf '\nit speaks HTTP/1.1 at port %s, where HTTP/2 without TLS is expected: set CONTAINER_PORT=%s' "$port" "$port"
  elif [ "$tls" = proxy ] && [ -z "$version" ] && ! speaks http && speaks http --http2-prior-knowledge; then
    printf '\nit speaks HTTP/2 without TLS at port %s: set CONTAINER_PORT=h2c:%s' "$port" "$port"
  fi
}

# unreachable ADDRESSES: a line about a Unix socket that the proxy cannot use; the app listens at ADDRESSES.
unreachable() {
  local at
  at=$(sed -n 's/^Environment=HTTP_SOCKET=//p' "$text")
  if [ ! -S "$socket" ]; then
    printf '\nthere is no socket %s in the container: have the app listen there' "$at"
    [ -z "$1" ] || printf '; it listens at %s: or set CONTAINER_PORT to that port' "$(paste -sd ' ' <<<"$1")"
  elif ! as_proxy test -w "$socket"; then
    printf '\nthe proxy may not write to the socket %s (%s): have the app make it writable for its group' \
      "$at" "$(stat -c '%A %U:%G' "$socket")"
  elif speaks https; then
    printf '\nit speaks TLS at %s, where plain HTTP is expected: have it speak HTTP there' "$at"
  fi
}

# as_proxy COMMAND...: run a command with the rights of the node's proxy.
as_proxy() { as_user "$(id -u corefab-proxy)" "$(id -g corefab-proxy)" "$@"; }

# ask ADDRESS WORD...: run curl against one of the slot's addresses; by a Unix socket as the proxy does.
ask() {
  if [ -n "$socket" ]; then
    as_proxy curl -sSk --noproxy '*' --unix-socket "$1" "${@:2}"
  else
    curl -sSk --noproxy '*' ${version:+"$version"} --connect-to "::$1:$port" "${@:2}"
  fi
}

# refused_port: test whether the app says, in the words of its language, that it may not listen at its port.
refused_port() {
  journalctl --sync 2>/dev/null || true
  journalctl -q -o cat --no-pager --unit "$unit" --lines 60 | tr '\n' ' ' | grep -qiE \
    '(bind|listen|connection to).{0,300}(permission denied|EACCES)|(permission denied|EACCES).{0,100}(bind|listen)'
}

# speaks SCHEME [WORD...]: test whether one of the addresses answers in that way, with these words for curl.
speaks() {
  local address
  for address in "${addresses[@]}"; do
    ask "$address" --max-time 5 --max-filesize 1000000 -o /dev/null "${@:2}" "$1://$authority$path" 2>/dev/null \
      && return
  done
  return 1
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
  local address said unreached='' reached=no
  for address in "${addresses[@]}"; do
    if said=$(visited_at "$address"); then
      [ -z "$said" ] || { echo "$said" && return; }
      reached=yes
    else
      unreached=${unreached:-$said}
    fi
  done
  if [ $reached = yes ]; then unserved; else echo "$unreached"; fi
}

# unserved: a name that the proxy in the other slot has a certificate for, and the one in this slot has not.
unserved() {
  local name other
  [ "$app" = corefab-proxy ] || return 0
  # An address where nothing runs answers after seconds, for each name.
  systemctl -q is-active "$app-$(other_slot "$slot").service" || return 0
  other=$(sed -n 's/^Network=.*:ip=\([0-9.]*\).*/\1/p' \
    "/etc/containers/systemd/$app-$(other_slot "$slot").container" 2>/dev/null)
  # shellcheck disable=SC2013
  for name in $(sed -sn '2s/^# names: //p' /etc/corefab/routes/*.caddy 2>/dev/null); do
    if shows "$other" "$name" && ! shows "${addresses[0]}" "$name"; then
      echo "it has no certificate for $name yet"
      return
    fi
  done
}

# shows ADDRESS NAME: test whether a certificate is shown for a name.
shows() {
  timeout 5 openssl s_client -connect "$1:443" -servername "$2" </dev/null 2>/dev/null | grep -q 'BEGIN CERT'
}

# visited_at ADDRESS: the same at one address; fails when it takes no connections.
visited_at() {
  local said found status left=5
  # The last try before it is healthy ends with the time there is.
  if [ -z "$healthy_since" ] && [ $((until - SECONDS)) -lt 5 ]; then left=$((until - SECONDS)); fi
  if ! said=$(ask "$1" --max-time "$((left > 1 ? left : 1))" -o /dev/null \
    ${forwarded:+-H "$forwarded"} -w '\nconnected %{time_connect}\nstatus %{http_code}\n%{certs}' "$scheme://$authority$path" 2>&1); then
    sed -n 's/^curl: ([0-9]*) //p' <<<"$said"
    ! grep -qx 'connected [0.]*' <<<"$said"
    return
  fi
  if [ "$scheme" = https ]; then
    found=$(openssl x509 -outform der <<<"$said" 2>/dev/null | sha256sum | cut -d ' ' -f 1)
    if [ "$found" != "$fingerprint" ]; then
      echo "shows certificate ${found:0:16}, not the expected one"
      return
    fi
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
    # Whether all workers are healthy, which the exit code says, is another question.
    workers=$({ status || true; } | jq -n '[inputs.workers[].restarts] | add // 0' 2>/dev/null || echo 0)
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
    fail_with "the app was healthy for $((SECONDS - healthy_since)) s and then was not: $found"
  fi
  reason=$(died)
  if [ -z "$reason" ] && [ "$SECONDS" -ge "$until" ]; then reason="not healthy within $seconds s"; fi
  [ -z "$reason" ] || fail_with "slot $slot: $reason: $found"
  sleep 0.1
done
