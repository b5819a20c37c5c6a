# challenge show|hide TOKEN: answer an http-01 challenge on port 80; its content is on stdin. The
# first challenge opens port 80 in the firewall and redirects it here, even if another program listens
# on it; the last one closes it again, and so does systemd after ten minutes. The unit runs `answer`
# for each request and `close` when it stops.
# shellcheck shell=bash
verb=$1 token=${2:-}
folder=/run/corefab/challenge
port=52080

# Reads a request from stdin and answers it: a challenge, or the same page over HTTPS.
answer() {
  local path name value host='' content
  IFS=$' \r' read -r -t 10 _ path _ || return 0
  while IFS=$' \r' read -r -t 10 name value _ && [ -n "$name" ]; do
    if [ "${name,,}" = host: ]; then host=${value%%:*}; fi
  done
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
    --property=User=65534 --property=RuntimeMaxSec=600 --property=NoNewPrivileges=yes \
    --property=ProtectSystem=strict --property=ProtectHome=yes --property=TasksMax=128 \
    --property=MemoryMax=128M --property="ExecStopPost=+/usr/bin/bash $folder.sh close" \
    socat "$address,fork,reuseaddr,backlog=128,max-children=64" "EXEC:/usr/bin/bash $folder.sh answer"
  for _ in $(seq 100); do
    if listens; then return; fi
    sleep 0.05
  done
  fail "nothing listens on port $port of the node: $(journalctl -q -u corefab-challenge -n 1 -o cat)"
}

case $verb in
  answer) answer && exit ;;
  close) close && exit ;;
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
