# challenge show|hide TOKEN: answer an http-01 challenge on port 80; its content is on stdin. The
# first challenge opens port 80 in the firewall and redirects it here, even if another program listens
# on it; the last one closes it again, and so does systemd after ten minutes. The unit runs `answer`
# for each request and `close` when it stops.
# shellcheck shell=bash
verb=$1 token=${2:-}
folder=/run/corefab/challenge
# Below 1024: another user of the node cannot listen there first and be sent the challenges.
port=880

# A source has 8 of 64 connections. Each has 10 seconds for its request, of 64 lines of 2048 bytes at most.
each=8 all=64 seconds=10 lines=64 longest=2048

# has_place: take one of the places of the connection's source; fail when they are all taken. A source is an
# IPv4 address, an IPv6 network of 64 bits, which one host may have whole, or this node with all its addresses.
has_place() {
  local source=${SOCAT_PEERADDR//[][]/} place
  if [[ $source == 0000:0000:0000:0000:0000:ffff:* ]]; then
    source=$(sed -E 's/.*:(..)(..):(..)(..)$/0x\1 0x\2 0x\3 0x\4/' <<<"$source")
    # shellcheck disable=SC2086
    source=$(printf '%d.%d.%d.%d' $source)
  fi
  case $(ip route get "$source" 2>/dev/null || true) in
    local*) source=local ;;
    *) source=$(cut -d : -f 1-4 <<<"$source") ;;
  esac
  for place in $(seq "$each"); do
    exec 9>"$RUNTIME_DIRECTORY/$source.$place"
    if flock -n 9; then return; fi
  done
  return 1
}

# next_line NAME...: read a line of the request into these variables; fail when it is too late or too long.
next_line() {
  local left=$((seconds - SECONDS))
  [ "$left" -gt 0 ] && IFS=$' \r' read -r -n "$longest" -t "$left" "$@"
}

# Reads a request from stdin and answers it: a challenge, or the same page over HTTPS.
answer() {
  local path version name=unread value host='' content
  next_line _ path version || return 0
  [ -n "$version" ] || return 0 # a line that was cut off
  for _ in $(seq "$lines"); do
    next_line name value _ || return 0
    [ -n "$name" ] || break
    if [ "${name,,}" = host: ]; then host=${value%%:*}; fi
  done
  [ -z "$name" ] || return 0
  token=${path#/.well-known/acme-challenge/}
  if [[ "$token" =~ ^[A-Za-z0-9_-]+$ ]] && [ -f "$folder/$token" ]; then
    content=$(cat "$folder/$token")
    printf 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n'
    printf 'Content-Length: %s\r\nConnection: close\r\n\r\n%s' "${#content}" "$content"
  elif [[ "$host" =~ ^[A-Za-z0-9.-]+$ ]] && [[ "$path" =~ ^/[A-Za-z0-9._~/?=+%-]*$ ]]; then
    printf 'HTTP/1.1 307 Temporary Redirect\r\nLocation: https://%s%s\r\n' "$host" "$path"
    printf 'Content-Length: 0\r\nConnection: close\r\n\r\n'
  else
    printf 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
  fi
}

close() {
  nft delete table inet corefab_challenge 2>/dev/null || true
  nft delete element inet corefab tcp_ports "{ $port }" 2>/dev/null || true
  rm -rf "$folder" "$folder.sh"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

listen() {
  local address=TCP-LISTEN:$port
  if [ -e /proc/net/if_inet6 ]; then address=TCP6-LISTEN:$port,ipv6only=0; fi
  printf '%s\n' "${script:?}" >"$folder.sh"
  systemctl reset-failed corefab-challenge.service 2>/dev/null || true
  systemd-run -q --collect --unit=corefab-challenge --property=SuccessExitStatus=143 \
    --property=User=65534 --property=AmbientCapabilities=CAP_NET_BIND_SERVICE \
    --property=CapabilityBoundingSet=CAP_NET_BIND_SERVICE --property=RuntimeMaxSec=600 --property=NoNewPrivileges=yes \
    --property=ProtectSystem=strict --property=ProtectHome=yes --property=TasksMax=512 \
    --property=MemoryMax=256M --property=RuntimeDirectory=corefab-challenge --property="ExecStopPost=+/usr/bin/bash $folder.sh close" \
    socat "$address,fork,reuseaddr,backlog=128,max-children=$all" "EXEC:/usr/bin/bash $folder.sh answer"
  for _ in $(seq 100); do
    if listens; then return; fi
    sleep 0.05
  done
  fail "nothing listens on port $port of the node: $(journalctl -q -u corefab-challenge -n 1 -o cat)"
}

case $verb in
  answer)
    if has_place; then answer; fi
    exit
    ;;
  close)
    close
    exit
    ;;
esac
one_at_a_time challenge
[[ "$token" =~ ^[A-Za-z0-9_-]{1,128}$ ]] || fail "$token is not a valid token"
if [ "$verb" = hide ]; then
  rm -f "$folder/$token"
  if [ -z "$(find "$folder" -type f 2>/dev/null | head -n 1)" ]; then
    systemctl stop corefab-challenge.service 2>/dev/null || true
  fi
  exit
fi

install -d -m 0755 "$folder"
cat >"$folder/.$token"
chmod 0644 "$folder/.$token"
mv -fT "$folder/.$token" "$folder/$token"
if systemctl -q is-active corefab-challenge.service; then exit; fi
listen
# Ahead of the front door's and netavark's rules, and only for this machine's own addresses.
nft -f - <<<"table inet corefab_challenge
delete table inet corefab_challenge
table inet corefab_challenge {
	chain prerouting {
		type nat hook prerouting priority dstnat - 50; policy accept;
		fib daddr type local tcp dport 80 redirect to :$port
	}
}"
if nft list set inet corefab tcp_ports >/dev/null 2>&1; then
  nft add element inet corefab tcp_ports "{ $port }"
fi
