# audit LINE: append a line of JSON to this node's journal of changes.
# shellcheck shell=bash
audit "$1"
