# access-list USER: the lines that let a user in, as JSON, with the file and age of each.
# shellcheck shell=bash disable=SC2016
user=$1
getent passwd "$user" >/dev/null || fail "there is no user $user on this node"
answer --rawfile access <(authorized_keys "$user") '$access | table("user file age_seconds line")'
