# certificate-finish APP RELEASE AUDIT: the certificate is proven: write it down. AUDIT is a line of
# JSON.
# shellcheck shell=bash
app=$1 release=$2 audit=$3
one_at_a_time "$app"
folder=$(home_of "$app")/releases/$release
audit "$audit"
rm -rf "$folder/next" "$folder/before"
