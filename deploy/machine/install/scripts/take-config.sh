# take-config PATH: take an Ignition file from stdin into the medium's memory.
# shellcheck shell=bash
umask 077
mkdir -p "$(dirname "$1")"
cat >"$1"
