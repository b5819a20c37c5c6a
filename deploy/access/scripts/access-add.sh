# access-add USER NAME: authorize the key on stdin, in a file of its own.
# shellcheck shell=bash
user=$1 name=$2
one_at_a_time access
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || fail "user $user does not exist on this node"
folder=$home/.ssh/authorized_keys.d
install -d -m 0700 -o "$user" -g "$(id -g "$user")" "$home/.ssh" "$folder"
# sshd reads no file that begins with a dot, so never a half-written one.
install -m 0600 -o "$user" -g "$(id -g "$user")" /dev/null "$folder/.$name"
cat >"$folder/.$name"
[ -s "$folder/.$name" ] || fail "no key arrived"
sync "$folder/.$name"
label "$home/.ssh"
mv -fT "$folder/.$name" "$folder/$name"
