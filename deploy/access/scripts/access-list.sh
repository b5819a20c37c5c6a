# access-list [USER]: the authorized keys of a user as JSON, with the file and age of each; by default those
# of all users.
# shellcheck shell=bash disable=SC2016
if [ $# -gt 0 ]; then
  getent passwd "$1" >/dev/null || fail "user $1 does not exist on this node"
else
  mapfile -t users < <(key_holders)
  set -- "${users[@]}"
fi
answer --slurpfile access <(authorized_keys "$@") '$access'
