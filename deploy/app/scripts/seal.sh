# seal APP RELEASE NAME: seal a credential from stdin to this machine. The plain value is only
# ever in this pipe and in systemd-creds' memory.
# shellcheck shell=bash
app=$1 release=$2 name=$3
one_at_a_time "$app"
sealed=$(home_of "$app")/releases/$release/credentials/$name
install -m 0600 /dev/null "$sealed.new"
systemd-creds encrypt --name="$name" --with-key=auto - - >"$sealed.new"
mv -fT "$sealed.new" "$sealed"
