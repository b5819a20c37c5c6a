# take-config PATH: store an Ignition file from stdin in the live system's memory.
# shellcheck shell=bash
umask 077
mkdir -p "$(dirname "$1")"
cat >"$1"
