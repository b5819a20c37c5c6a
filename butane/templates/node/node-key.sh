#!/usr/bin/bash
# node-key.sh: make this machine's own key, at its first boot, and the certificate by which others know it. Until
# systemd-creds has sealed the key, it is in memory alone.
set -euo pipefail
export LC_ALL=C
umask 022
ulimit -c 0
sealed=/etc/credstore.encrypted/corefab-node-key
certificate=/var/lib/corefab/node.crt

key=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null)
install -d -m 0755 /var/lib/corefab /etc/issue.d
install -d -m 0700 /etc/credstore.encrypted
printf '%s\n' "$key" | openssl req -x509 -new -key /dev/stdin -sha256 -days 36500 -subj /CN=corefab-node \
  -addext keyUsage=critical,digitalSignature,keyEncipherment -out "$certificate.new"
install -m 0600 /dev/null "$sealed.new"
printf '%s\n' "$key" | systemd-creds encrypt --name=corefab-node-key --with-key=auto - - >"$sealed.new"
fingerprint=$(openssl x509 -in "$certificate.new" -outform DER | openssl dgst -sha256 -binary | base64 -w 0)
# Shown above the login prompt of the console, and once among the lines of the boot.
printf 'Node key: SHA256:%s\n' "${fingerprint%%=*}" | tee /etc/issue.d/30-corefab.issue
mv -fT "$certificate.new" "$certificate"
sync "$certificate" "$sealed.new"
# Last: where it is, this does not run again.
mv -fT "$sealed.new" "$sealed"
sync /etc/credstore.encrypted
