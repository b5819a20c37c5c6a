# certificate APP: the certificate chain that the serving release holds.
# shellcheck shell=bash
app=$1
cat "$(home_of "$app")/current/tls/server.crt"
