# certificate-swap APP RELEASE SIGNAL: put the staged certificate in place, keep the present one, and
# signal the app to load it.
# shellcheck shell=bash
app=$1 release=$2 signal=$3
one_at_a_time "$app"
folder=$(home_of "$app")/releases/$release
[ "$(current_of "$app")" = "$release" ] || fail "the release on this node is not $release any more"
[ -d "$folder/next" ] || fail "no certificate was staged"

# Check, as the app will, that the sealed password opens the key.
password=$folder/credentials/cert_pass
if [ -e "$folder/next/cert_pass" ]; then password=$folder/next/cert_pass; fi
opened=$(systemd-creds decrypt --name=cert_pass "$password" - \
  | openssl pkey -in "$folder/next/tls/server.key.enc" -passin stdin -pubout 2>/dev/null) \
  || fail "the sealed password does not open the key on this node; nothing was changed"
[ "$opened" = "$(openssl x509 -in "$folder/next/tls/server.crt" -noout -pubkey)" ] \
  || fail "the key is not the certificate's; nothing was changed"

rm -rf "$folder/before.new"
install -d -m 0755 "$folder/before.new"
cp -pR "$folder/tls" "$folder/manifest.json" "$folder/before.new/"
if [ -e "$folder/next/cert_pass" ]; then
  cp -p "$folder/credentials/cert_pass" "$folder/before.new/cert_pass"
fi
sync "$folder/before.new/manifest.json"
mv -T "$folder/before.new" "$folder/before"
install_certificate "$app" "$folder" "$folder/next"
load_certificate "$app" "$signal"
