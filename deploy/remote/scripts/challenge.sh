# challenge show|hide TOKEN: answer http-01 on port 80 of this machine; the content is on stdin. The
# first one shown opens port 80 through the firewall, whatever has it else; the last one hidden
# closes it again, and so does systemd after ten minutes.
# shellcheck shell=bash
verb=$1 token=$2
one_at_a_time challenge
[[ $token =~ ^[A-Za-z0-9_-]{1,128}$ ]] || fail "$token is no token"
folder=/run/corefab/challenge
port=52080

if [ "$verb" = hide ]; then
  rm -f "$folder/$token"
  if [ -z "$(find "$folder" -type f 2>/dev/null | head -n 1)" ]; then
    systemctl stop corefab-challenge.service 2>/dev/null || true
  fi
  exit 0
fi

install -d -m 0755 /run/corefab "$folder"
cat >"$folder/.$token"
chmod 0644 "$folder/.$token"
mv -fT "$folder/.$token" "$folder/$token"
if systemctl -q is-active corefab-challenge.service; then exit 0; fi

# Reads a request from stdin and answers it: a challenge, or the same page over HTTPS.
cat >/run/corefab/challenge-answer.sh <<'ANSWER'
folder=/run/corefab/challenge host=
IFS=$' \r' read -r -t 10 _ path _ || exit 0
while IFS=$' \r' read -r -t 10 name value _ && [ -n "$name" ]; do
  if [ "${name,,}" = host: ]; then host=${value%%:*}; fi
done
token=${path#/.well-known/acme-challenge/}
if [[ $token =~ ^[A-Za-z0-9_-]+$ ]] && [ -f "$folder/$token" ]; then
  content=$(cat "$folder/$token")
  printf 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %s\r\n' "${#content}"
  printf 'Connection: close\r\n\r\n%s' "$content"
elif [[ $host =~ ^[A-Za-z0-9.-]+$ && $path =~ ^/[A-Za-z0-9._~/?=\&%+-]*$ ]]; then
  printf 'HTTP/1.1 307 Temporary Redirect\r\nLocation: https://%s%s\r\n' "$host" "$path"
  printf 'Content-Length: 0\r\nConnection: close\r\n\r\n'
else
  printf 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
fi
ANSWER

cat >/run/corefab/challenge-close.sh <<'CLOSE'
nft delete table inet corefab_challenge 2>/dev/null
nft delete element inet corefab tcp_ports "{ $1 }" 2>/dev/null
rm -rf /run/corefab/challenge
exit 0
CLOSE

listen=TCP-LISTEN:$port
if [ -e /proc/net/if_inet6 ]; then listen=TCP6-LISTEN:$port,ipv6only=0; fi
systemctl reset-failed corefab-challenge.service 2>/dev/null || true
systemd-run -q --collect --unit=corefab-challenge --property=SuccessExitStatus=143 \
  --property=User=nobody --property=RuntimeMaxSec=600 \
  --property=NoNewPrivileges=yes --property=ProtectSystem=strict --property=ProtectHome=yes \
  --property=TasksMax=128 --property=MemoryMax=128M \
  --property="ExecStopPost=+/usr/bin/bash /run/corefab/challenge-close.sh $port" \
  socat "$listen,fork,reuseaddr,backlog=128,max-children=64" "EXEC:/usr/bin/bash /run/corefab/challenge-answer.sh"
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
for _ in $(seq 100); do
  if listens; then break; fi
  sleep 0.05
done
listens || fail "nothing listens on port $port of the node: $(journalctl -q -u corefab-challenge -n 1 -o cat)"

# Before the front door and before netavark, and only for this machine's own addresses.
nft -f - <<RULES
table inet corefab_challenge
delete table inet corefab_challenge
table inet corefab_challenge {
	chain prerouting {
		type nat hook prerouting priority dstnat - 50; policy accept;
		fib daddr type local tcp dport 80 redirect to :$port
	}
}
RULES
if nft list set inet corefab tcp_ports >/dev/null 2>&1; then
  nft add element inet corefab tcp_ports "{ $port }"
fi
