# audit LINE: append a line of JSON to the journal of changes.
# shellcheck shell=bash
audit "$1"
