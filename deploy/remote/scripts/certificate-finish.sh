# certificate-finish APP RELEASE AUDIT: the certificate is proven: write it down. AUDIT is a line of
# JSON.
# shellcheck shell=bash
app=$1 release=$2 audit=$3
one_at_a_time "$app"
folder=$(home_of "$app")/releases/$release
install -d -m 0755 /var/lib/corefab
printf '%s\n' "$audit" >>/var/lib/corefab/audit.log
rm -rf "$folder/next" "$folder/before"
