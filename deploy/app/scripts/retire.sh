# retire APP SECONDS: wait up to SECONDS until the slot that no longer serves has no connections, and
# stop it. It runs as a unit of its own and so outlives this SSH connection.
# shellcheck shell=bash
app=$1 seconds=$2

# connections APP SLOT PID: count a slot's connections, in the network namespace of PID; in the node's
# where the slot takes the node's sockets, and in the proxy's where it has a Unix socket.
connections() {
  local pid=$3 port socket
  socket=$(unix_socket "$1" "$2")
  if [ -n "$socket" ]; then
    connections_by "$socket"
    return
  fi
  if takes_socket "$1" "$2" && systemctl -q is-active "$1-$2.service"; then
    for port in $(socket_ports "$1" "$2"); do
      ss -HtnO exclude listening exclude time-wait "sport = :$port"
    done | wc -l
    return
  fi
  if [ -e "/proc/$pid/ns/net" ]; then
    nsenter --net --target "$pid" ss -HtnO exclude listening exclude time-wait | wc -l
  else
    echo 0
  fi
}

# connections_by SOCKET: count the connections by a Unix socket. Both of their ends belong to the namespace of
# who connected; the socket goes by its inode, since its path in the container is the other slot's as well.
connections_by() {
  local slot pid at
  at=$(stat -c 'ino:%i dev:%Hd/%Ld' "$1" 2>/dev/null || echo none)
  for slot in blue green; do
    pid=$(podman inspect --format '{{.State.Pid}}' "corefab-proxy-$slot" 2>/dev/null || echo none)
    [ ! -e "/proc/$pid/ns/net" ] || nsenter --net --target "$pid" ss -Hxne state established
  done | grep -cE " $at( |\$)" || true
}

retire() {
  local app=$1 seconds=$2 slot until pid
  one_at_a_time "$app"
  [ ! -e "$(home_of "$app")/deploying" ] || return 0
  slot=$(serving_slot "$app")
  [ -n "$slot" ] || return 0
  slot=$(other_slot "$slot")
  pid=$(podman inspect --format '{{.State.Pid}}' "$app-$slot" 2>/dev/null || echo none)
  until=$((SECONDS + seconds))
  while [ "$SECONDS" -lt "$until" ] && [ "$(connections "$app" "$slot" "$pid")" -gt 0 ]; do sleep 0.2; done
  stop_slot "$app" "$slot"
  drop_socket "$app"
}

systemd-run --quiet --collect --wait --pipe --property=Nice=10 bash -c "set -euo pipefail
$(declare -f home_of serving_slot other_slot one_at_a_time fail lock_file \
  wait_for_lock holders describe stop_slot takes_socket socket_ports \
  drop_socket unix_socket connections connections_by retire)
retire \"\$@\"" retire "$app" "$seconds"
