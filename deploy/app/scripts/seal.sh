# seal APP RELEASE NAME: encrypt the credential on stdin to this machine. The plain value exists only
# in this pipe and in the memory of systemd-creds.
# shellcheck shell=bash
app=$1 release=$2 name=$3
one_at_a_time "$app"
sealed=$(home_of "$app")/releases/$release/credentials/$name
install -m 0600 /dev/null "$sealed.new"
systemd-creds encrypt --name="$name" --with-key=auto - - >"$sealed.new"
mv -fT "$sealed.new" "$sealed"
