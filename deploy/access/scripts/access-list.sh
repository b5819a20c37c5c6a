# access-list USER: the authorized keys of a user as JSON, with the file and age of each.
# shellcheck shell=bash disable=SC2016
user=$1
getent passwd "$user" >/dev/null || fail "user $user does not exist on this node"
answer --slurpfile access <(authorized_keys "$user") '$access'
