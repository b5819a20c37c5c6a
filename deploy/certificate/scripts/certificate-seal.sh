# certificate-seal APP RELEASE: seal the next key's password from stdin to this machine.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
sealed=$(home_of "$app")/releases/$release/next/cert_pass
install -m 0600 /dev/null "$sealed.new"
systemd-creds encrypt --name=cert_pass --with-key=auto - - >"$sealed.new"
mv -fT "$sealed.new" "$sealed"
