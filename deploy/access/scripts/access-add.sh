# access-add USER NAME: let in the key on stdin by a file of its own, beside all others.
# shellcheck shell=bash
user=$1 name=$2
one_at_a_time access
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || fail "there is no user $user on this node"
folder=$home/.ssh/authorized_keys.d
install -d -m 0700 -o "$user" -g "$(id -g "$user")" "$home/.ssh" "$folder"
# sshd is given no file that begins with a dot: a half-written one lets nobody in.
install -m 0600 -o "$user" -g "$(id -g "$user")" /dev/null "$folder/.$name"
cat >"$folder/.$name"
[ -s "$folder/.$name" ] || fail "no key arrived"
sync "$folder/.$name"
label "$home/.ssh"
mv -fT "$folder/.$name" "$folder/$name"
