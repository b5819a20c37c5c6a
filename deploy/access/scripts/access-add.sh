# access-add USER NAME: authorize the key on stdin, in a file of its own.
# shellcheck shell=bash
user=$1 name=$2
one_at_a_time access
line=$(head -c 65536)
[ -n "$line" ] || fail "no key arrived"
printf '%s\n' "$line" | put_keys "$user" "$name"
