# certificate-finish APP RELEASE AUDIT: record that the new certificate serves, and remove
# the previous one. AUDIT is a line of JSON.
# shellcheck shell=bash
app=$1 release=$2 audit=$3
one_at_a_time "$app"
folder=$(home_of "$app")/releases/$release
audit "$audit"
rm -rf "$folder/next" "$folder/before"
